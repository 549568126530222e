# /// seed
# document = "Zero-Config Database Framework"
# section = "Docker"
# illustrates = "a Dockerfile; the package here has another name"
# ///
FROM python:3.11-slim
RUN pip install kailash-dataflow
COPY app.py .
EXPOSE 8000
CMD ["python", "app.py"]
