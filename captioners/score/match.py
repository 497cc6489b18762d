"""Which subject of a prediction is which of the reference: the pairing with the largest sum of similarities."""

from __future__ import annotations

import math
from collections.abc import Sequence


def best_pairs(similarity: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Pairs (row, column) of a table of similarities, as many as its shorter side, in the order of rows.

    The Hungarian algorithm, with potentials: exact, in time of rows * rows * columns.
    """
    if not similarity or not similarity[0]:
        return []
    if len(similarity) > len(similarity[0]):
        turned = best_pairs([list(column) for column in zip(*similarity, strict=True)])
        return sorted((row, column) for column, row in turned)
    rows, columns = len(similarity), len(similarity[0])
    of_row, of_column = [0.0] * (rows + 1), [0.0] * (columns + 1)
    taken = [0] * (columns + 1)  # the row of each column, from 1; 0: none. Column 0 stands for the row to be placed
    for row in range(1, rows + 1):
        taken[0] = row
        column, came_from = 0, [0] * (columns + 1)
        slack, visited = [math.inf] * (columns + 1), [False] * (columns + 1)
        while taken[column]:
            visited[column] = True
            here, step, nearest = taken[column], math.inf, 0
            for other in range(1, columns + 1):
                if visited[other]:
                    continue
                left = -similarity[here - 1][other - 1] - of_row[here] - of_column[other]
                if left < slack[other]:
                    slack[other], came_from[other] = left, column
                if slack[other] < step:
                    step, nearest = slack[other], other
            for other in range(columns + 1):
                if visited[other]:
                    of_row[taken[other]] += step
                    of_column[other] -= step
                else:
                    slack[other] -= step
            column = nearest
        while column:
            taken[column] = taken[came_from[column]]
            column = came_from[column]
    return sorted((row - 1, column - 1) for column, row in enumerate(taken) if column and row)
