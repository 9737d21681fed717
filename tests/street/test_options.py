import datetime
import subprocess
import sys

import pytest

from zonda.options import Error, OptionParser


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5),
        ("1h30m", 5400),
        ("1d 2s", 86402),
        ("1.5 hours", 5400),
        ("-1min", -60),
        ("250ms", 0.25),
        ("", 0),
    ],
)
def test_durations(text, seconds):
    options = OptionParser()
    options.define("wait", type=datetime.timedelta)
    options.parse_command_line(["main", f"--wait={text}"])
    assert options.wait == datetime.timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["soon", "1y", "1h soon", "h"])
def test_what_is_no_duration_says_what_is_one(text):
    options = OptionParser()
    options.define("wait", type=datetime.timedelta)
    with pytest.raises(Error, match="units are h, m, min"):
        options.parse_command_line(["main", f"--wait={text}"])


@pytest.mark.parametrize("text", ["2024-01-02T03:04:05", "2024-01-02 03:04:05", "20240102 03:04:05"])
def test_dates(text):
    options = OptionParser()
    options.define("since", type=datetime.datetime)
    options.parse_command_line(["main", f"--since={text}"])
    assert options.since == datetime.datetime(2024, 1, 2, 3, 4, 5)


def test_an_error_in_a_config_file_names_the_file(tmp_path):
    path = tmp_path / "app.conf"
    path.write_text("port = \n")
    with pytest.raises(SyntaxError) as caught:
        OptionParser().parse_config_file(str(path))
    assert caught.value.filename == str(path)


def test_log_alone_has_its_options():
    # zonda.log without zonda.options: the global parser must know the logging options all the same.
    code = "import logging, zonda.log; zonda.log.enable_pretty_logging(); logging.info('here')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert done.returncode == 0
    assert "here" in done.stderr


def test_an_option_belongs_to_the_file_that_defines_it():
    code = "from zonda.options import define, options; define('x'); print(sorted(options.groups())[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True
    )
    assert "<string>" in done.stdout
    assert "options.py" not in done.stdout
