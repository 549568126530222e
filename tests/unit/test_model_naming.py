"""The names of tables and keys that follow from the names of classes."""

import pytest

from dataflow.errors import ModelError
from dataflow.model.naming import check_identifier, plural, snake_case, table_name


@pytest.mark.parametrize(
    ("camel", "snake"),
    [
        ("User", "user"),
        ("OrderItem", "order_item"),
        ("HTTPServer", "http_server"),
        ("MyHTTPServer", "my_http_server"),
        ("HTTP", "http"),
        ("A", "a"),
        ("AB", "ab"),
        ("ABTest", "ab_test"),
        ("UserV2", "user_v2"),
        ("X509Certificate", "x509_certificate"),
        ("already_snake", "already_snake"),
        ("Mixed_Case", "mixed_case"),
        ("_Private", "_private"),
        ("GrößeÄnderung", "größe_änderung"),
        ("ЗаказТовара", "заказ_товара"),
        ("用户", "用户"),
        ("lower", "lower"),
    ],
)
def test_a_class_name_is_split_into_words(camel: str, snake: str) -> None:
    assert snake_case(camel) == snake


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("order", "orders"),
        ("category", "categories"),
        ("day", "days"),
        ("address", "addresses"),
        ("status", "statuses"),
        ("alias", "aliases"),
        ("box", "boxes"),
        ("buzz", "buzzes"),
        ("batch", "batches"),
        ("dish", "dishes"),
        ("analysis", "analyses"),
        ("house", "houses"),
        ("person", "people"),
        ("child", "children"),
        ("man", "men"),
        ("news", "news"),
        ("settings", "settings"),
        ("orders", "orders"),
        ("y", "ys"),
    ],
)
def test_a_noun_is_put_into_the_plural(one: str, many: str) -> None:
    assert plural(one) == many


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("NewModel", "new_models"),
        ("SalesPerson", "sales_people"),
        ("Person", "people"),
        ("OrderStatus", "order_statuses"),
        ("Human", "humans"),
    ],
)
def test_only_the_last_word_of_a_table_is_in_the_plural(name: str, table: str) -> None:
    assert table_name(name) == table


@pytest.mark.parametrize(
    "name", ["select", "order", "größe", "with space", 'quo"te', "x" * 63, "ü" * 31, "1"]
)
def test_reserved_and_odd_names_are_fine(name: str) -> None:
    check_identifier(name, "the table", "Order")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("a\0b", "NUL"),
        ("\ud800", "surrogate"),
        ("x" * 64, "63 bytes"),
        ("ü" * 32, "63 bytes"),
        (3, "must be a str, not int"),
        (None, "must be a str, not NoneType"),
    ],
    ids=ascii,
)
def test_names_that_no_database_takes_are_refused(name: object, said: str) -> None:
    with pytest.raises(ModelError, match=f"^Order: the table .*{said}"):
        check_identifier(name, "the table", "Order")
