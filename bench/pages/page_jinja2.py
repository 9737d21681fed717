"""A page of 200 rows by jinja2, escaping as it does for HTML, encoded."""

import jinja2
from rows import measure

TEMPLATE = """\
<html><body><h1>{{ title }}</h1>
<table>
{% for row in rows %}
  <tr class="{% if row.number % 2 %}odd{% else %}even{% endif %}">
    <td>{{ row.number }}</td>
    <td>{{ row.name }}</td>
    <td>{{ row.note }}</td>
    <td>{{ "%.2f" % row.price }}</td>
    <td>{% if row.sold %}<b>sold</b>{% endif %}</td>
  </tr>
{% endfor %}
</table></body></html>
"""
environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
template = environment.from_string(TEMPLATE)

if __name__ == "__main__":
    measure(lambda title, rows: template.render(title=title, rows=rows).encode())
