"""A run as one self-contained page of HTML: no network, no other file, nothing to install.

`write(run)` makes RUN/report.html from what is in the folder of a run. Others draw with the same hand: `charts.lines`
and `charts.bars` give a `<figure>` as Markup, `html.tag` any other element with every text escaped, and
`page.document` puts such sections into a page with the style sheet and the script.
"""
