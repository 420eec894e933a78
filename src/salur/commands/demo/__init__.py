"""`salur demo`: the main job on one real regency, from its official figures to a page that anyone can read.

run          the command: its folder, its steps in order
figures      what the decisions come to, by programme and by district
small_cells  which figures are not published, because too few people stand behind them
stories      five decisions to be explained, chosen by what they show
screen       one screen of results
page         the result page in both languages
office       the office with its people, officers and letters, and the pages served
cycles       its cycles: one decreed, one under review
"""

from salur.commands.demo.run import demo

__all__ = ["demo"]
