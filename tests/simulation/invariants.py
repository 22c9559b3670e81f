"""What must hold after every single write and every moment, whoever crashes when."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sluice.api.status import ModelDeploymentStatus, Revision, Rollout
from sluice.core import variants
from sluice.core.replicas import needed, shared_needed
from sluice.kube.api import Manifest
from sluice.traffic import plain_service

from tests.simulation.gateway import TargetedBy, mirrored, split_of, targeted_by
from tests.simulation.pods import Life
from tests.simulation.world import NAME, NAMESPACE, World

# People ask for the same or edit twice in a second, pods go and come, and so does what a gateway says.
BEGINS = ("RolloutStarted", "ScaledToZero", "PausedByUser", "StepCompleted")
MAY_REPEAT = ("Action", "StepsChanged", "NoReadyPods", "Refused", "Recovered")


@dataclass(frozen=True)
class Asked:
    """What a revision is asked by the routes: percent of all requests, those meant for it, percent in copies."""

    weight: int = 0
    targeted: bool = False
    copied: int = 0


@dataclass
class Before:
    """The parts of the world that a write is compared with."""

    status: Manifest
    weights: dict[str, int]
    replicas: dict[str, int]
    targeted: TargetedBy
    copied: dict[str, int]

    @property
    def asked_of(self) -> dict[str, Asked]:
        """By revision; nobody else is asked anything."""
        open_to = self.targeted.revision if self.targeted.open else None
        names = {*self.weights, *self.copied, *([open_to] if open_to else [])}
        return {name: Asked(self.weights.get(name, 0), name == open_to, self.copied.get(name, 0)) for name in names}


@dataclass
class Count:
    """Requests of the pods of both arms when a rollout began to count."""

    candidate: int
    stable: int | None = None
    exact: bool = True
    behind: bool = False  # stable was read late: answers from before the candidate's first may be in the first block
    users: bool = False


@dataclass
class Invariants:
    """Checks, and what they need to remember."""

    told: list[str] = field(default_factory=list)
    counts: dict[tuple[str, str], Count] = field(default_factory=dict)

    def before_write(self, world: World) -> Before:
        route = world.store.objects.get(("HTTPRoute", NAMESPACE, f"{NAME}.targeted"))
        return Before(world.status, weights(world), replicas(world), targeted_by(route), copied(world))

    def after_write(self, world: World, before: Before) -> None:
        now = self.before_write(world)
        self._kinds(world)  # also of a look that dies after its first write
        if now.weights != before.weights:
            self._route(world, now)
            self._shared(world, now)
        if now.targeted.open and now.targeted != before.targeted:
            self._targeted(world, now)
        if now.asked_of != before.asked_of:
            self._gates(world, before, now)
        if now.replicas != before.replicas:
            self._replicas(world, before, now)
        if now.status != before.status and now.status:
            self._status(before.status, now.status)
            self._promotion(world, before, now)
            self._begin_counting(world, ModelDeploymentStatus.model_validate(now.status))
        self._events(world)

    def after_look(self, world: World, status: ModelDeploymentStatus | None, *, complete: bool) -> None:
        """Compare the controller's evidence with what the pods have answered; `complete`: the look did not fail."""
        self._kinds(world)
        if status is None or status.rollout is None or status.stable is None:
            return
        for rollout in seen_by_each(status.rollout):
            self._counted(world, rollout, status.stable, complete=complete)

    def _kinds(self, world: World) -> None:
        """Who begins to count something else begins where the counters stand."""
        for count in self.counts.values():
            count.exact = count.exact and count.users is counts_users(world)

    def _counted(self, world: World, rollout: Rollout, stable: Revision, *, complete: bool) -> None:
        count = self.counts.get(key_of(rollout))
        if count is None:
            return
        if targeted := rollout.evidence.targeted:
            answered_to = sum(life.targeted_in_all for life in world.pods_of(rollout.revision.name))
            assert targeted.requests <= answered_to, f"counted {targeted} of {answered_to} targeted requests"
        check_disagreement(rollout)
        arms = world.pods_of(rollout.revision.name), world.pods_of(stable.name)
        if any(
            life.restarts or life.gone_at is not None or not life.reachable or life.lost or life.evicted
            for arm in arms
            for life in arm
        ):
            count.exact = False  # who ends takes with him what was not read yet
        if rollout.weight == 0 and rollout.weight_changed_at:
            count.exact = False  # a weight that was taken back: with no traffic there is nothing to compare
        if any(life.skew != world.skew for arm in arms for life in arm):
            count.exact = False  # a clock was set: who is older than the rollout can't be told for sure
        total = rollout.evidence.total
        candidate = answered(arms[0]) - count.candidate
        assert total.candidate_requests <= candidate, f"counted {total} of {candidate} candidate requests"
        if count.stable is None and total.stable_requests:
            count.exact = False  # a hand edit gave the candidate users before its time, for a while
        late = world.time < world.lagging_until  # who is ready is not known yet, and read once it is
        count.behind = count.behind or (late and count.stable is None)
        if count.exact and complete and not late and count.stable is not None:
            assert total.candidate_requests == candidate, f"lost: {total}, candidate answered {candidate}"
            others = answered(arms[1]) - count.stable
            counted = total.stable_requests == others or (count.behind and total.stable_requests > others)
            assert counted, f"lost: {total}, stable answered {others}"

    def after_step(self, world: World) -> None:
        """No version is loaded more than once per pod, whatever is promoted."""
        assert world.tampered or not world.torn, f"proxies answer 500 for a moment: {world.torn}"
        if world.proxied and (mirror := mirrored(world.proxied)):
            assert mirror[0] not in world.live or world.tampered, f"{mirror[0]} gets copies and requests of users"
        for life in world.lives.values():
            assert life.loads <= 1, f"{life.name} loaded its model {life.loads} times"

    def _route(self, world: World, now: Before) -> None:
        assert sum(now.weights.values()) in (0, 100), now.weights
        stable = now.status.get("stable", {}).get("name")
        for revision, weight in now.weights.items():
            ready, wants = world.ready(revision), needed(for_all_traffic(world), weight)
            if by_pods(world) and weight < 100:
                wants = 1  # each pod has its own share
            if now.status.get("downSince"):
                wants = 1  # too few are better than nobody
            if "abTest" in (world.md or {}).get("spec", {}).get("strategy", {}):
                wants = 1  # and a test keeps its users as long as it can
            assert revision == stable or ready >= wants, (
                f"{revision} gets {weight} % with {ready} of {wants} pods ready"
            )

    def _shared(self, world: World, now: Before) -> None:
        """A Service of all versions begins to lead to two of them, and to no more of the candidate than was asked."""
        if not by_pods(world) or len(now.weights) < 2:
            return
        stable, rollout = now.status["stable"]["name"], now.status["rollout"]
        candidate, replicas = rollout["revision"]["name"], for_all_traffic(world)
        live = {stable, candidate}
        assert now.weights.keys() == live
        others = {name: pods for name, pods in now.replicas.items() if pods and name not in now.weights}
        others |= {life.revision: 1 for life in world.lives.values() if life.serving and life.revision not in live}
        assert not others, f"{others} would have requests too"
        most = shared_needed(replicas, now.weights[candidate])
        assert world.ready(candidate) <= most, f"{world.ready(candidate)} of at most {most} pods would have requests"

    def _targeted(self, world: World, now: Before) -> None:
        revision = now.targeted.revision
        candidate = now.status.get("rollout", {}).get("revision", {}).get("name")
        assert revision == candidate == now.status.get("targeted"), f"{revision} is targeted, {candidate} the candidate"
        assert revision is not None
        assert world.ready(revision), f"{revision} is targeted without a ready pod"

    def _gates(self, world: World, before: Before, now: Before) -> None:
        """No candidate gets more requests, early adopters or copies before its gates pass, unless a person says so.

        A recreate has none.
        """
        rollout, gates = now.status.get("rollout"), (world.md or {}).get("spec", {}).get("gates")
        if not rollout or not gates or "stable" not in now.status or rollout.get("direct") or world.tampered:
            return
        if rollout["steps"] == "recreate":
            return
        names = {name for name in ("signature", "goldenSet") if name in gates}
        names |= {hook["name"] for hook in gates.get("hooks", ())}
        passed = {result["name"] for result in rollout.get("gates", ()) if result["outcome"] == "Passed"}
        candidate, last = rollout["revision"]["name"], now.status.get("lastAction", {})
        by_person = last.get("action", "").startswith("promote") and last["revision"] == candidate
        was, comes = (each.asked_of.get(candidate, Asked()) for each in (before, now))
        more = comes.weight > was.weight or comes.targeted > was.targeted or comes.copied > was.copied
        assert not more or by_person or names <= passed, f"{comes} before {names - passed} have passed"

    def _replicas(self, world: World, before: Before, now: Before) -> None:
        wanted = for_all_traffic(world, before)
        if now.status.get("downSince"):
            return  # a recreate, which has said so before
        for revision, was in before.replicas.items():
            weight = max(world.live.get(revision, 0), now.weights.get(revision, 0))
            left = now.replicas.get(revision, 0)
            if left < was and not left and wanted and world.md:
                assert revision not in (world.targeted, now.targeted.open and now.targeted.revision), (
                    f"{revision} is targeted and scaled to zero"
                )
            if left < was and weight and wanted and world.md:
                least = needed(wanted, weight)
                if by_pods(world):  # what it was, and is no more, may still be known to the nodes
                    least = shared_needed(wanted, now.weights.get(revision, 0)) if revision in now.weights else 0
                assert left >= least, f"{revision} scaled to {left} with {weight} % of the traffic"

    def _status(self, before: Manifest, now: Manifest) -> None:
        assert now["message"], "every state says what it waits for"
        rejected = {entry["revision"]["name"] for entry in now.get("rejected", ())}
        began = now.get("rollout", {}).get("revision", {}).get("name")
        assert began not in rejected, f"{began} was rejected and begins again"
        old = {c["type"]: c for c in before.get("conditions", ())}
        for condition in now["conditions"]:
            was = old.get(condition["type"])
            if was and was["status"] == condition["status"]:
                assert was["lastTransitionTime"] == condition["lastTransitionTime"], condition
        names = [entry["revision"]["name"] for entry in now.get("retired", [])]
        live = {now.get("stable", {}).get("name"), began}
        assert len(set(names)) == len(names), f"retired twice: {names}"
        assert not live & set(names), "what is live is not retired"

    def _promotion(self, world: World, before: Before, now: Before) -> None:
        """Who takes over has no fewer pods than who had all traffic."""
        old, new = (of.status.get("stable", {}).get("name") for of in (before, now))
        down = before.status.get("downSince") or now.status.get("downSince")
        if old is None or old == new or down or "autoscaling" not in (world.md or {}).get("spec", {}):
            return
        assert world.ready(new) >= (had := for_all_traffic(world, before)), f"{world.ready(new)} pods take over {had}'s"

    def _begin_counting(self, world: World, status: ModelDeploymentStatus) -> None:
        rollout = status.rollout
        if rollout is None or status.stable is None:
            return
        for one in seen_by_each(rollout):
            arm = world.pods_of(one.revision.name)
            still_has_some = one.revision.name in world.live  # of a test before, by proxies that do not know better
            begun = Count(answered(arm), exact=not still_has_some, users=counts_users(world))
            count = self.counts.setdefault(key_of(one), begun)
            if count.stable is None and one.weight_changed_at is not None:
                count.stable = answered(world.pods_of(status.stable.name))

    def _events(self, world: World) -> None:
        events = world.store.of_kind("Event")
        self.told = [event["reason"] for event in events]
        told = Counter((event["reason"], event["message"], event["firstTimestamp"]) for event in events)
        twice = [event for event, times in told.items() if times > 1]
        flapped = world.flapping_until > 0  # whoever moves the alias about gets the same answer twice in a second
        asked = {event["firstTimestamp"] for event in events if event["reason"].startswith("Action")}
        changed = {at for reason, _, at in told if reason == "StepsChanged"}  # a test that is edited begins anew
        wrong = [event for event in twice if not event[0].startswith(MAY_REPEAT) and event[2] not in asked]
        wrong = [event for event in wrong if event[0] not in BEGINS or event[2] not in changed]
        assert flapped or not wrong, f"told twice: {wrong}"


def for_all_traffic(world: World, before: Before | None = None) -> int:
    """Pods that all traffic needs: what the user says, or what the autoscaler of who is stable has made of it."""
    spec = (world.md or {}).get("spec", {})
    if "autoscaling" not in spec:
        return int(spec.get("replicas", 1))
    few, many = spec["autoscaling"]["minReplicas"], spec["autoscaling"]["maxReplicas"]
    stable = (before.status if before else world.status).get("stable", {}).get("name", "")
    runs = (before.replicas if before else replicas(world)).get(stable, 0)
    return int(min(max(few, runs), many))


def by_pods(world: World) -> bool:
    """Whether there is no gateway."""
    return world.md is not None and "traffic" not in world.md["spec"]


def counts_users(world: World) -> bool:
    spec = (world.md or {}).get("spec", {})
    return bool({"abTest", "canary"} & spec.get("strategy", {}).keys()) and "sticky" in spec.get("traffic", {})


def weights(world: World) -> dict[str, int]:
    if service := world.store.objects.get(("Service", NAMESPACE, NAME)):
        return plain_service.read_split(service)
    route = world.store.objects.get(("HTTPRoute", NAMESPACE, NAME))
    return split_of(route) if route else {}


def copied(world: World) -> dict[str, int]:
    found = mirrored(world.store.objects.get(("HTTPRoute", NAMESPACE, NAME), {}))
    return {found[0]: found[1]} if found else {}


def replicas(world: World) -> dict[str, int]:
    found = world.store.of_kind("Deployment")
    return {d["metadata"]["name"].removeprefix(f"{NAME}-"): d["spec"]["replicas"] for d in found}


def check_disagreement(rollout: Rollout) -> None:
    """What is said of pairs is said of those that were counted."""
    pairs, said = rollout.evidence.pairs, rollout.evidence.disagreement
    if pairs is None or pairs.joined == pairs.stable_failed:
        assert said is None
        return
    assert said
    assert said.share == (pairs.different - pairs.stable_failed) / (pairs.joined - pairs.stable_failed)
    assert said.at_least <= said.share <= said.at_most


def answered(lives: list[Life]) -> int:
    return sum(life.answered for life in lives)


def seen_by_each(rollout: Rollout) -> list[Rollout]:
    """The rollout as each challenger of a test sees it."""
    return [rollout, *(variants.view(rollout, one) for one in variants.others(rollout))]


def key_of(rollout: Rollout) -> tuple[str, str]:
    return rollout.revision.name, rollout.started_at.isoformat(timespec="milliseconds")
