"""Values on their way into the output: escaping, bytes, namespaces; what is left behind afterwards."""

import gc
import html
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonda._core.text.runtime import escape_value
from zonda.template import DictLoader, Template


@given(st.text(alphabet=st.sampled_from("ab&<>\"'é\U0001f600"), max_size=12))
def test_escaping_agrees_with_the_standard_library(text):
    assert escape_value(text) == html.escape(text)


class Sly(str):
    """Claims to be safe in every way that a str can be asked."""

    def __str__(self):
        return "safe"

    def __contains__(self, char):
        return False

    def replace(self, *args):
        return self


def test_a_str_subclass_is_escaped_by_its_characters():
    assert Template("{{ x }}{% raw x %}").generate(x=Sly("<b>")) == b"&lt;b&gt;<b>"


class SlyBytes(bytes):
    pass


def test_bytes_are_text_in_utf_8():
    assert Template("{{ x }}").generate(x=SlyBytes("<é>".encode())) == "&lt;é&gt;".encode()
    with pytest.raises(UnicodeDecodeError):
        Template("{{ x }}").generate(x=b"\xff")


def test_raw_bytes_need_not_be_text():
    template = Template("é{% raw x %}{{ y }}{% apply f %}{% raw x %}{% end %}")
    assert template.generate(x=b"\xff", y="ü", f=lambda body: body * 2) == "é".encode() + b"\xff" + (
        "ü".encode() + b"\xff\xff"
    )


def test_a_lone_surrogate_is_refused():
    with pytest.raises(UnicodeEncodeError):
        Template("{{ x }}").generate(x="\ud800")
    with pytest.raises(UnicodeEncodeError):
        Template("{% raw b %}{{ x }}").generate(x="\udcff", b=b"\xff")


def test_an_own_xhtml_escape_takes_the_place_of_ours():
    def shout(value):
        assert type(value) is bytes
        return value.upper()

    template = Template("{{ 'a<' }}{{ 7 }}{{ b'z' }}")
    assert template.generate(xhtml_escape=shout) == b"A<7Z"
    assert template.generate() == b"a&lt;7z"
    loader = DictLoader({"t": "{{ 'a<' }}"}, namespace={"xhtml_escape": shout})
    assert loader.load("t").generate() == b"A<"


@pytest.mark.parametrize("answer", [None, 3, bytearray(b"x")])
def test_a_function_that_returns_no_text_is_an_error(answer):
    for source in ("{% apply f %}x{% end %}", "{% autoescape f %}{{ 1 }}"):
        with pytest.raises(TypeError, match=f"returned {type(answer).__name__}: str or bytes are allowed"):
            Template(source).generate(f=lambda value: answer)


def test_arguments_come_before_the_loader_names_and_those_before_ours():
    loader = DictLoader({"t": "{{ a }}{{ squeeze }}"}, namespace={"a": 1, "squeeze": 2})
    assert loader.load("t").generate() == b"12"
    assert loader.load("t").generate(a=3, self=4) == b"32"


def test_rendering_twice_shares_nothing():
    template = Template("{% import os.path as p %}{% set x = y %}{{ x }}")
    assert template.generate(y=1) == b"1"
    with pytest.raises(NameError):
        template.generate()


def test_rendering_leaves_no_garbage():
    template = Template("{% for i in x %}{{ i }}{% apply f %}a{% end %}{% end %}")
    template.generate(x=[1], f=bytes.upper)
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            template.generate(x=[1, 2], f=bytes.upper)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_threads_may_load_and_render_at_once():
    loader = DictLoader(
        {
            "t": "{% extends b %}{% block x %}{% include i %}{% end %}",
            "b": "<{% block x %}{% end %}>",
            "i": "{{ n }}",
        }
    )
    outputs = {}
    start = threading.Barrier(8)

    def work(n):
        start.wait(10)
        # Templates made by hand read the loader's while another thread is loading the same ones.
        outputs[n] = loader.load("t").generate(n=n), Template("{% include t2 %}", loader=other).generate(n=n)

    other = DictLoader({"t2": "{% include i %}", "i": "{{ n }}"})
    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert outputs == {n: (f"<{n}>".encode(), f"{n}".encode()) for n in range(8)}


def test_a_template_made_by_hand_waits_for_the_one_being_read():
    reading, asked = threading.Event(), threading.Event()

    class WatchedLock:
        def __init__(self, lock):
            self.lock = lock

        def __enter__(self):
            if reading.is_set():
                asked.set()
            self.lock.acquire()

        def __exit__(self, *exc_info):
            self.lock.release()

    class SlowLoader(DictLoader):
        def _create_template(self, name):
            reading.set()
            assert asked.wait(10)
            return super()._create_template(name)

    loader = SlowLoader({"i": "{{ 1 }}"})
    loader.lock = WatchedLock(loader.lock)
    thread = threading.Thread(target=loader.load, args=("i",))
    thread.start()
    assert reading.wait(10)
    try:
        # "i" is being read, by another thread: that is no circle.
        assert Template("{% include i %}", loader=loader).generate() == b"1"
    finally:
        asked.set()
        thread.join(10)
