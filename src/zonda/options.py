"""The options of a program: each module defines its own, the program parses them once.

    from zonda.options import define, options, parse_command_line

    define("port", default=8888, help="port to listen on")
    parse_command_line()
    app.listen(options.port)

Source: Tornado documentation, page `options`.  The logging options are always defined (`zonda.log`).
"""

import zonda.log  # noqa: F401  (defines the logging options)
from zonda._core.base.face import show
from zonda._core.base.option_parser import Error, OptionParser, options

__all__ = [
    "Error",
    "OptionParser",
    "add_parse_callback",
    "define",
    "options",
    "parse_command_line",
    "parse_config_file",
    "print_help",
]

# The global parser's methods, under the names that programs import.
define = options.define
parse_command_line = options.parse_command_line
parse_config_file = options.parse_config_file
print_help = options.print_help
add_parse_callback = options.add_parse_callback

show(__name__, globals(), ["Error", "OptionParser"])
show(
    __name__,
    dict(vars(OptionParser)),
    ["add_parse_callback", "define", "parse_command_line", "parse_config_file", "print_help"],
)
