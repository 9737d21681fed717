"""A page of 200 rows by Tornado's template engine."""

import tornado.template
from rows import measure

TEMPLATE = """\
<html><body><h1>{{ title }}</h1>
<table>
{% for row in rows %}
  <tr class="{% if row.number % 2 %}odd{% else %}even{% end %}">
    <td>{{ row.number }}</td>
    <td>{{ row.name }}</td>
    <td>{{ row.note }}</td>
    <td>{{ "%.2f" % row.price }}</td>
    <td>{% if row.sold %}<b>sold</b>{% end %}</td>
  </tr>
{% end %}
</table></body></html>
"""
template = tornado.template.Template(TEMPLATE, name="page.html")

if __name__ == "__main__":
    measure(lambda title, rows: template.generate(title=title, rows=rows))
