"""HTTP: addresses decoded once, answers in one piece."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.fault import Invalid
from sendensed.net.http import Response, encode, fault, split_path, split_query

DATE = b"Mon, 23 Nov 2026 12:00:00 GMT"


def test_a_path_is_split_before_it_is_decoded_and_decoded_once():
    assert split_path("/api/a%2Fb/%2541//") == ["api", "a/b", "%41", "", ""]
    assert split_path("/") == [""]


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8")), min_size=1))
def test_any_segments_come_back_as_they_were_quoted(segments):
    assert split_path("/" + "/".join(quote(segment, safe="") for segment in segments)) == segments


@pytest.mark.parametrize("path", ["/%", "/a%2", "/%zz", "/%+1", "/% 1", "/%ff", "/%ed%a0%80", "/%c0%af"])
def test_a_broken_escape_and_broken_utf_8_are_refused(path):
    with pytest.raises(Invalid) as refused:
        split_path(path)
    assert refused.value.code == "malformed"


def test_a_query_keeps_the_order_of_its_pairs_and_reads_plus_as_a_space():
    assert split_query("job=a%2Bb&job=c+d&&since=&x") == [("job", "a+b"), ("job", "c d"), ("since", ""), ("x", "")]
    assert split_query("") == []


def test_an_answer_is_head_and_body_in_one_piece():
    response = Response(200, b"{}", headers=(("X-A", "1"), ("X-B", "2")))
    assert encode(response, DATE, body=True, end=b"close") == (
        b"HTTP/1.1 200 OK\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
        b"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\n"
        b"Date: Mon, 23 Nov 2026 12:00:00 GMT\r\nX-A: 1\r\nX-B: 2\r\nConnection: close\r\n\r\n{}"
    )


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_names_neither_length_nor_type(status):
    data = encode(Response(status, b"ignored"), DATE, body=True, end=b"")
    assert data.endswith(b"GMT\r\n\r\n")
    assert b"\r\nContent-" not in data
    assert b"X-Content-Type-Options: nosniff" in data


def test_a_page_may_load_its_own_parts_and_any_other_answer_nothing():
    page = encode(Response(200, b"<p>", "text/html; charset=utf-8"), DATE, body=True, end=b"").decode()
    assert "default-src 'none'; script-src 'self';" in page
    assert page.count("Content-Security-Policy") == 1
    for kind in ("text/html; charset=utf-8", "application/json", "text/javascript; charset=utf-8"):
        head = encode(Response(200, b"", kind), DATE, body=True, end=b"").decode()
        assert "frame-ancestors 'none'" in head
        assert "X-Content-Type-Options: nosniff" in head
        assert "Referrer-Policy: no-referrer" in head


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\rb", "€"])
def test_a_field_that_would_leave_its_line_is_never_written(value):
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the promise
        encode(Response(headers=(("X", value),)), DATE, body=True, end=b"")
    with pytest.raises(ValueError):  # noqa: PT011
        encode(Response(content_type=value), DATE, body=True, end=b"")


def test_a_fault_is_the_contract_s_error_body():
    assert fault(403, "not_yours", "not your job", "job_id").body == (
        b'{"error":{"code":"not_yours","message":"not your job","field":"job_id"}}'
    )
