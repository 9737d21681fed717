"""The UI modules of pages.py."""

import zonda.web


class Entry(zonda.web.UIModule):
    def embedded_css(self):
        return ".entry { margin-bottom: 1em; }"

    def embedded_javascript(self):
        return 'document.title += " *";'

    def render(self, entry, show_comments=False):
        return self.render_string("module-entry.html", entry=entry, show_comments=show_comments)
