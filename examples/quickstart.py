"""DataFlow without any configuration: two models, one workflow, SQLite in memory."""

from typing import Annotated

from dataflow import DataFlow, Field, ForeignKey, LocalRuntime, WorkflowBuilder

db = DataFlow()


@db.model
class User:
    name: str
    email: str = Field(unique=True)


@db.model
class Post:
    author_id: Annotated[int, ForeignKey("User")]
    title: str


workflow = WorkflowBuilder()
workflow.add_node("UserCreateNode", "author", {"name": "Ann", "email": "ann@example.org"})
workflow.add_node("PostCreateNode", "post", {"title": "Hello"})
workflow.add_connection("author", "id", "post", "author_id")

results, run_id = LocalRuntime().execute(workflow.build())
print(results["post"]["title"], "by", results["author"]["name"], "at", results["post"]["created_at"])
