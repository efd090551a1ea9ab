"""The index finds what a comparison of all with all finds."""

from __future__ import annotations

import torch

from doctor.neighbours import nearest


def test_nearly_all_nearest_neighbours_are_found() -> None:
    points = torch.randn(3000, 8, generator=torch.Generator().manual_seed(1))
    apart = torch.cdist(points, points).fill_diagonal_(torch.inf)
    found = nearest(points, 5)
    true = apart.topk(5, largest=False)
    hits = (found.index[:, :, None] == true.indices[:, None, :]).any(2).float().mean()
    assert hits > 0.9
    right = found.index == true.indices
    assert torch.allclose(found.distance[right], true.values[right], atol=1e-3)


def test_a_point_is_never_its_own_neighbour_and_each_comes_once() -> None:
    points = torch.zeros(200, 4)
    found = nearest(points, 8)
    assert not (found.index == torch.arange(200)[:, None]).any()
    assert all(len(set(row)) == 8 for row in found.index.tolist())


def test_too_few_points_leave_places_empty() -> None:
    found = nearest(torch.tensor([[0.0], [1.0]]), 3)
    assert found.index.tolist() == [[1, -1, -1], [0, -1, -1]]
    assert nearest(torch.zeros(1, 2), 2).index.tolist() == [[-1, -1]]
