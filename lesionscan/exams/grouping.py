"""Films put together by exam and patient, and what was found in them.

Candidates are counted per film: two views are projections along different directions, and nothing
in them shows that two candidates are one lesion. Only copies of one picture (the same file, or
the same SOPInstanceUID) are known to show the same, and count once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal, TypeAlias

from lesionscan.exams.pseudonyms import Pseudonyms
from lesionscan.exams.sources import Belonging, Source
from lesionscan.results.record import ResultRecord


@dataclass(frozen=True, slots=True)
class Marked:
    """One shown candidate.

    Attributes
    ----------
    score, size
        As in its film's result: `size` is a share of the film's long side.
    area_mm2, diameter_mm
        Area and equivalent diameter; None without spacing.
    bone_id
        Number of its bone on this film; None outside bone.
    """

    score: float
    size: float
    area_mm2: float | None
    diameter_mm: float | None
    bone_id: int | None


@dataclass(frozen=True, slots=True)
class GroupedFilm:
    """One picture of the run.

    Attributes
    ----------
    name
        Name of its results, without ending.
    file, frame
        As in images.csv.
    patient, exam
        Pseudonyms; None where it is not known whose film it is.
    moment
        Orders the exams of a patient; never written.
    is_copy
        Whether an earlier film of the same exam is the same picture.
    status, assessed
        As in its result.
    body_part, view, laterality, spacing_plane
        As its file states them; None where it does not.
    marked
        The shown candidates; none for a copy.
    """

    name: str
    file: str
    frame: int
    patient: str | None
    exam: str | None
    moment: str | None
    is_copy: bool
    status: Literal["ok", "failed"]
    assessed: bool
    body_part: str | None
    view: str | None
    laterality: str | None
    spacing_plane: str | None
    marked: tuple[Marked, ...]


@dataclass(frozen=True, slots=True)
class FilmGroup:
    """The films of one exam, of one patient, or of one bone on one film.

    Attributes
    ----------
    films
        At least one; copies too.
    marked
        The shown candidates.
    """

    films: tuple[GroupedFilm, ...]
    marked: tuple[Marked, ...]

    @property
    def pictures(self) -> int:
        """Number of different pictures."""
        return sum(not film.is_copy for film in self.films)

    def stated(self, name: str) -> str | None:
        """Return what the films state of something, each once, joined by ";"."""
        said = {getattr(film, name) for film in self.films} - {None}
        return ";".join(sorted(said)) or None

    @property
    def without_mm(self) -> int:
        """Number of shown candidates whose size in mm is not known."""
        return sum(one.area_mm2 is None for one in self.marked)

    @property
    def area_mm2(self) -> float | None:
        """Sum of the areas that are known in mm; None where none is."""
        known = [one.area_mm2 for one in self.marked if one.area_mm2 is not None]
        return sum(known) if known else None

    def largest(self, name: str) -> float | None:
        """Return the largest of a number of the candidates; None where none is known."""
        known = (getattr(one, name) for one in self.marked)
        return max((value for value in known if value is not None), default=None)


Key: TypeAlias = Callable[[GroupedFilm], str | None]


def grouped_films(
    results: Iterable[ResultRecord], source: Source, pseudonyms: Pseudonyms
) -> list[GroupedFilm]:
    """Say of each film which exam and patient it is of, under pseudonyms.

    Parameters
    ----------
    results
        Of the films, read back.
    source
        Whose film each is.
    pseudonyms
        What hides it.

    Raises
    ------
    lesionscan.exams.sources.SourceError
        When the source cannot say it.
    """
    seen: set[tuple[str | None, str, int]] = set()
    films = []
    for result in results:
        who = source(result.input)
        exam = None if who.exam is None else pseudonyms.exam(who.exam)
        pictures = {
            (exam, one, result.input.frame)
            for one in (who.instance, result.input.sha256)
            if exam is not None and one is not None
        }
        films.append(_grouped(result, who, pseudonyms, is_copy=not seen.isdisjoint(pictures)))
        seen |= pictures
    return films


def by_exam(films: Sequence[GroupedFilm]) -> dict[str, FilmGroup]:
    """Return the exams of films, in the order of their patients and moments."""
    ordered = sorted(films, key=lambda film: (film.patient or "", film.moment or ""))
    return _by(ordered, attrgetter("exam"))


def by_patient(films: Sequence[GroupedFilm]) -> dict[str, FilmGroup]:
    """Return the patients of films, in the order of their pseudonyms."""
    return dict(sorted(_by(films, attrgetter("patient")).items()))


def by_bone(film: GroupedFilm) -> Iterator[tuple[int | None, FilmGroup]]:
    """Yield the bones of a film that have shown candidates; what lies outside bone last."""
    bones = {one.bone_id for one in film.marked}
    for bone in sorted(bones, key=lambda number: (number is None, number)):
        yield bone, FilmGroup((film,), tuple(one for one in film.marked if one.bone_id == bone))


def exam_numbers(exams: Mapping[str, FilmGroup]) -> dict[str, int]:
    """Return the place of each exam among those of its patient, from 1 on.

    Patients of whom an exam has no date, or who are not known, are left out. Exams of the same
    moment share a place.
    """
    moments: dict[str, dict[str, str | None]] = {}
    for exam, group in exams.items():
        patients = {film.patient for film in group.films}
        if len(patients) == 1 and None not in patients:
            first = min((film.moment for film in group.films if film.moment), default=None)
            moments.setdefault(str(group.films[0].patient), {})[exam] = first
    numbers: dict[str, int] = {}
    for of_patient in moments.values():
        if None not in of_patient.values():
            order = sorted(set(map(str, of_patient.values())))
            numbers |= {exam: order.index(str(when)) + 1 for exam, when in of_patient.items()}
    return numbers


def pairs(
    exams: Mapping[str, FilmGroup], numbers: Mapping[str, int]
) -> Iterator[tuple[GroupedFilm, GroupedFilm]]:
    """Yield films of a patient's exams that follow each other and show the same from one side.

    Body part, view and laterality must agree, the first two must be known, and each exam must have
    one such film: otherwise nothing says which belong together.
    """
    of_patient: dict[str, dict[int, list[GroupedFilm]]] = {}
    for exam, number in numbers.items():
        group = exams[exam]
        at = of_patient.setdefault(str(group.films[0].patient), {})
        at.setdefault(number, []).extend(group.films)
    for numbered in of_patient.values():
        for number in sorted(numbered)[:-1]:
            before, after = (_single_views(numbered[one]) for one in (number, number + 1))
            yield from ((before[view], after[view]) for view in before if view in after)


def _single_views(films: Iterable[GroupedFilm]) -> dict[tuple[str | None, ...], GroupedFilm]:
    """Return the films that alone show their body part from their side."""
    views: dict[tuple[str | None, ...], list[GroupedFilm]] = {}
    for film in films:
        if film.status == "ok" and not film.is_copy and film.body_part and film.view:
            view = (film.body_part, film.view, film.laterality)
            views.setdefault(view, []).append(film)
    return {view: one[0] for view, one in views.items() if len(one) == 1}


def _by(films: Iterable[GroupedFilm], key: Key) -> dict[str, FilmGroup]:
    together: dict[str, list[GroupedFilm]] = {}
    for film in films:
        if (name := key(film)) is not None:
            together.setdefault(name, []).append(film)
    return {
        name: FilmGroup(tuple(of), tuple(one for film in of for one in film.marked))
        for name, of in together.items()
    }


def _grouped(
    result: ResultRecord, who: Belonging, pseudonyms: Pseudonyms, *, is_copy: bool
) -> GroupedFilm:
    return GroupedFilm(
        name=result.name,
        file=result.input.file,
        frame=result.input.frame,
        patient=None if who.patient is None else pseudonyms.patient(who.patient),
        exam=None if who.exam is None else pseudonyms.exam(who.exam),
        moment=who.moment,
        is_copy=is_copy,
        status=result.status,
        assessed=result.bone is not None and result.bone.assessed,
        body_part=_stated(result, "body_part_examined"),
        view=_stated(result, "view_position"),
        laterality=_stated(result, "image_laterality") or _stated(result, "laterality"),
        spacing_plane=None if result.image is None else result.image.spacing_plane,
        marked=()
        if is_copy
        else tuple(
            Marked(
                score=one.score,
                size=one.size,
                area_mm2=one.area_mm2,
                diameter_mm=one.equivalent_diameter_mm,
                bone_id=None if one.location is None else one.location.bone_id,
            )
            for one in result.candidates
            if one.shown
        ),
    )


def _stated(result: ResultRecord, name: str) -> str | None:
    value = result.acquisition.get(name)
    return None if value is None else str(value)
