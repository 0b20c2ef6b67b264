"""Group films and their shown candidates by exam, patient and bone.

Candidates are counted per film: two views are different projections, in which candidates cannot be
matched. Only copies of a film (same file, or same SOPInstanceUID) count once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal, TypeAlias

from lesionscan.exams.pseudonyms import Pseudonyms
from lesionscan.exams.sources import Identity, Source
from lesionscan.results.record import ResultRecord


@dataclass(frozen=True, slots=True)
class ShownCandidate:
    """One shown candidate.

    Attributes
    ----------
    score, size
        As in the film's result; `size` is a share of the film's long side.
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
    """One film of the run.

    Attributes
    ----------
    name
        Name of its results, without ending.
    file, frame
        As in images.csv.
    patient, exam
        Pseudonyms; None if unknown.
    moment
        Date and time, to sort the exams of a patient; never written.
    is_copy
        Whether it is a copy of an earlier film of the same exam.
    status, assessed
        As in its result.
    body_part, view, laterality, spacing_plane
        From the file; None if missing.
    shown
        The shown candidates; empty for a copy.
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
    shown: tuple[ShownCandidate, ...]


@dataclass(frozen=True, slots=True)
class FilmGroup:
    """Films of one exam, of one patient, or of one bone on one film.

    Attributes
    ----------
    films
        At least one, including copies.
    shown
        The shown candidates.
    """

    films: tuple[GroupedFilm, ...]
    shown: tuple[ShownCandidate, ...]

    @property
    def pictures(self) -> int:
        """Number of different pictures."""
        return sum(not film.is_copy for film in self.films)

    def stated(self, name: str) -> str | None:
        """Return the distinct values of an attribute of the films, joined by ";"."""
        values = {getattr(film, name) for film in self.films} - {None}
        return ";".join(sorted(values)) or None

    @property
    def without_mm(self) -> int:
        """Number of shown candidates without a size in mm."""
        return sum(one.area_mm2 is None for one in self.shown)

    @property
    def area_mm2(self) -> float | None:
        """Sum of the known areas in mm²; None if none is known."""
        known = [one.area_mm2 for one in self.shown if one.area_mm2 is not None]
        return sum(known) if known else None

    def largest(self, name: str) -> float | None:
        """Return the largest value of an attribute of the candidates; None if none is known."""
        known = (getattr(one, name) for one in self.shown)
        return max((value for value in known if value is not None), default=None)


Key: TypeAlias = Callable[[GroupedFilm], str | None]


def grouped_films(
    results: Iterable[ResultRecord], source: Source, pseudonyms: Pseudonyms
) -> list[GroupedFilm]:
    """Assign each film to an exam and a patient, under pseudonyms.

    Parameters
    ----------
    results
        Results of the films.
    source
        Returns the identity for a film.
    pseudonyms
        Replaces identities.

    Raises
    ------
    lesionscan.exams.sources.SourceError
        If the source cannot be read.
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
    """Group films by exam, sorted by patient and time."""
    ordered = sorted(films, key=lambda film: (film.patient or "", film.moment or ""))
    return _by(ordered, attrgetter("exam"))


def by_patient(films: Sequence[GroupedFilm]) -> dict[str, FilmGroup]:
    """Group films by patient, sorted by pseudonym."""
    return dict(sorted(_by(films, attrgetter("patient")).items()))


def by_bone(film: GroupedFilm) -> Iterator[tuple[int | None, FilmGroup]]:
    """Yield the bones of a film with shown candidates; candidates outside bone come last."""
    bones = {one.bone_id for one in film.shown}
    for bone in sorted(bones, key=lambda number: (number is None, number)):
        yield bone, FilmGroup((film,), tuple(one for one in film.shown if one.bone_id == bone))


def exam_numbers(exams: Mapping[str, FilmGroup]) -> dict[str, int]:
    """Return the number of each exam among those of its patient, by time, from 1.

    Unknown patients, and patients with an exam without date, are left out. Simultaneous exams share
    a number.
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
    """Yield pairs of films of consecutive exams of a patient that show the same view.

    Body part, view and laterality must agree, the first two must be known, and each exam must have
    exactly one such film; otherwise the pairing would be ambiguous.
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
    """Return the films that are the only one of their body part, view and side."""
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
        name: FilmGroup(tuple(of), tuple(one for film in of for one in film.shown))
        for name, of in together.items()
    }


def _grouped(
    result: ResultRecord, who: Identity, pseudonyms: Pseudonyms, *, is_copy: bool
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
        shown=()
        if is_copy
        else tuple(
            ShownCandidate(
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
