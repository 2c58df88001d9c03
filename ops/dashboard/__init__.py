"""The dashboard: what a run directory holds, as one model, one page, or a live page.

`lines` reads, `fold` counts, `run` makes the model of one run, `page` the HTML, `serve` serves it.
Everything reads only, and believes nothing that it reads.
"""
