"""The browser's client is served as browsers want it."""

from tests.core.channels.doors.asking import serving
from zonda.channels import ClientScriptHandler, Hub


class Script(ClientScriptHandler):
    def initialize(self, hub):
        pass


def test_the_script_is_served_and_not_sent_again(run):
    async def main():
        async with serving(Hub("local://"), Script) as served:
            answer = await served.ask()
            assert answer.status == 200
            assert answer.headers["content-type"] == "text/javascript; charset=UTF-8"
            assert answer.headers["cache-control"] == "no-cache"
            assert b"export class Channels" in answer.body
            again = await served.ask(If_None_Match=answer.headers["etag"])
            assert (again.status, again.body) == (304, b"")

    run(main())
