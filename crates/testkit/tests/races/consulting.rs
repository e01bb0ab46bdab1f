//! Consulting who is parked, a conference room, the echo: nobody is rung for it, so what happens
//! next happens at once. In each of some rounds two people or programs do something at the same
//! instant; what may have come of it is worked out here, for either order.

use std::collections::BTreeSet;
use std::sync::Arc;

use leg::{CallView, Command};
use model::CallApiId;
use testkit::{Phone, Sound, action, millis, secs};

use crate::{Race, SEEDS, race};

/// Talks with Bob, and asks.
const ANN: usize = 0;
/// Waits for her.
const BOB: usize = 1;
/// Is asked: she is parked, or has a room.
const EVE: usize = 2;
/// Has parked her, or is in her room.
const DAN: usize = 3;
/// May take her back, or come into the room.
const FAY: usize = 4;

const PEOPLE: usize = 5;

/// Whom, or what, Ann asks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asks {
    Slot,
    Room,
    Echo,
}

impl Asks {
    fn number(self) -> &'static str {
        match self {
            Asks::Slot => "*01",
            Asks::Room => "*8102",
            Asks::Echo => "199",
        }
    }
}

/// Where somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Home,
    With(usize),
    /// Until Ann comes back.
    Waiting,
    Slot,
    Room,
    Echo,
}

/// Where everybody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    at: [At; PEOPLE],
    /// Without its owner nobody is in the room.
    ends_with_owner: bool,
}

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    HangsUp(usize),
    /// Ann asks whom she asks.
    Consults(By),
    /// A program lets Bob have whom Ann asks.
    Completes,
    /// Ann goes back to Bob.
    Returns(By),
    /// Fay calls for who is parked, or comes into the room.
    Comes,
    /// Dan takes back whom he has parked, when that rings at his phone.
    TakesBack,
    /// A program hangs up the consultation.
    EndsConsultation,
    /// A program hangs up for Ann what has become of her call with Bob.
    EndsOriginal,
    /// A program orders for Bob what only Ann's may: nothing comes of it.
    Meddles(&'static str),
}

/// In which way something is done.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    Program,
    Keys,
}

impl State {
    fn waits(&self) -> bool {
        self.at[BOB] == At::Waiting
    }

    fn joins(mut self, a: usize, b: usize) -> State {
        (self.at[a], self.at[b]) = (At::With(b), At::With(a));
        self
    }

    fn goes(mut self, who: usize, to: At) -> State {
        self.at[who] = to;
        self
    }

    /// What comes of a deed that is done by itself.
    fn after(self, deed: Deed, asks: Asks) -> State {
        match deed {
            Deed::HangsUp(who) => self.without(who),
            Deed::Consults(_) if self.at[ANN] == At::With(BOB) => match asks {
                Asks::Slot if self.at[EVE] == At::Slot => {
                    self.goes(BOB, At::Waiting).joins(ANN, EVE)
                }
                Asks::Slot => self,
                Asks::Room => self.goes(BOB, At::Waiting).goes(ANN, At::Room),
                Asks::Echo => self.goes(BOB, At::Waiting).goes(ANN, At::Echo),
            },
            Deed::Completes if self.waits() => self.without(ANN),
            Deed::Returns(_) | Deed::EndsConsultation if self.waits() => match self.at[ANN] {
                // Who was parked waits again.
                At::With(who) => self.goes(who, At::Slot).joins(ANN, BOB),
                _ => self.joins(ANN, BOB),
            },
            // The handle of who was parked stays, and means who is parked again.
            Deed::EndsConsultation if self.at[EVE] == At::Slot => self.without(EVE),
            // Bob is hung up; Ann goes on with whom she asks.
            Deed::EndsOriginal if self.waits() => self.without(BOB),
            Deed::EndsOriginal if self.at[ANN] == At::With(BOB) => self.without(ANN),
            // Without Bob it is a call like any other.
            Deed::EndsConsultation if self.at[ANN] != At::With(BOB) => self.without(ANN),
            Deed::Comes => match asks {
                Asks::Slot if self.at[EVE] == At::Slot => self.joins(FAY, EVE),
                Asks::Room => self.goes(FAY, At::Room),
                Asks::Slot | Asks::Echo => self,
            },
            Deed::TakesBack if self.at[EVE] == At::Slot => self.joins(DAN, EVE),
            // Refused, or without a meaning: nothing has changed.
            Deed::Consults(_)
            | Deed::TakesBack
            | Deed::Completes
            | Deed::Returns(_)
            | Deed::EndsConsultation
            | Deed::EndsOriginal
            | Deed::Meddles(_) => self,
        }
    }

    /// Somebody is out.
    fn without(mut self, who: usize) -> State {
        let was = core::mem::replace(&mut self.at[who], At::Home);
        let ann_waits = self.waits();
        match was {
            At::Home | At::Waiting | At::Slot => self,
            At::With(other) if ann_waits && who == ANN => self.joins(BOB, other),
            At::With(_) if ann_waits && self.at[ANN] == At::With(who) => self.joins(ANN, BOB),
            At::With(other) => self.goes(other, At::Home),
            At::Room | At::Echo if ann_waits && who == ANN => self.goes(BOB, was),
            At::Room if who == EVE && self.ends_with_owner => {
                for at in &mut self.at {
                    *at = if *at == At::Room { At::Home } else { *at };
                }
                let is_put_out = ann_waits && self.at[ANN] == At::Home;
                if is_put_out { self.joins(ANN, BOB) } else { self }
            }
            At::Room | At::Echo => self,
        }
    }

    /// What may be so when all these deeds are done at the same instant.
    fn after_all(self, deeds: &[Deed], asks: Asks) -> BTreeSet<State> {
        let forth = deeds.iter().fold(self, |state, deed| state.after(*deed, asks));
        let back = deeds.iter().rev().fold(self, |state, deed| state.after(*deed, asks));
        [forth, back].into()
    }

    /// As the table of who hears whom names it: situations and who plays in them.
    fn situations(&self) -> Vec<(&'static str, Vec<(char, usize)>)> {
        let mut found = Vec::new();
        let is_at = |at: At| (0..PEOPLE).filter(move |who| self.at[*who] == at);
        for (who, at) in self.at.iter().enumerate() {
            match at {
                At::With(other) if who < *other => {
                    found.push(("talk", vec![('A', who), ('B', *other)]));
                }
                At::Waiting => found.push(("A consults C", vec![('B', who)])),
                At::Slot => found.push(("B is parked", vec![('B', who)])),
                At::Echo => found.push(("A is in the echo", vec![('A', who)])),
                At::Home | At::With(_) | At::Room => {}
            }
        }
        let members: Vec<(char, usize)> = ('A'..).zip(is_at(At::Room)).collect();
        match members.len() {
            0 => {}
            1 => found.push(("A is alone in a room", members)),
            2 => found.push(("talk", members)),
            3 => found.push(("A, B, C in a room", members)),
            4 => found.push(("A, B, C, D in a room", members)),
            _ => found.push(("A, B, C, D, E in a room", members)),
        }
        found
    }

    /// Whether it is so.
    fn is_so(&self, race: &Race) -> bool {
        let phone = |who: usize| race.phone(who);
        (0..PEOPLE).all(|who| phone(who).is_idle() == (self.at[who] == At::Home))
            && self.situations().iter().all(|(situation, cast)| {
                let cast: Vec<_> = cast.iter().map(|(part, who)| (*part, phone(*who))).collect();
                race.sim.is_heard(situation, &cast)
            })
    }
}

/// The run: where everybody was last seen, and Ann's calls.
struct Story {
    asks: Asks,
    state: State,
    original: CallApiId,
    original_of_bob: CallApiId,
    consultation: Option<CallApiId>,
}

impl Story {
    /// Ann talks with Bob, and there is something to ask; `None`: on a bad network somebody was
    /// not reached in time.
    fn begin(race: &mut Race, asks: Asks) -> Option<Story> {
        let ends_with_owner = race.chance.below(2) == 0;
        race.sim.configure(0, |company| {
            company.phone("102").shown.conference_end_on_exit = ends_with_owner;
        });
        let at = [At::With(BOB), At::With(ANN), At::Home, At::Home, At::Home];
        let mut state = State { at, ends_with_owner };
        race.talk(ANN, BOB);
        let original = *race.sim.calls_of("100").last()?;
        let original_of_bob = *race.sim.calls_of("101").last()?;
        match asks {
            Asks::Slot => {
                race.talk(DAN, EVE);
                race.sim.control("103", "park 1").ok()?;
                state.at[EVE] = At::Slot;
            }
            Asks::Room => {
                for who in [EVE, DAN] {
                    race.phone(who).dials("*8102");
                    let is_in = || race.phone(who).is_in_call();
                    if !race.sim.run_while(secs(20), || !is_in()) {
                        return None;
                    }
                    state.at[who] = At::Room;
                }
            }
            Asks::Echo => {}
        }
        let mut story = Story { asks, state, original, original_of_bob, consultation: None };
        story.comes_to(race, &[state].into(), &[]);
        if asks == Asks::Slot && race.chance.below(4) == 0 {
            // After three minutes it rings at who has parked.
            race.until_within(secs(185), "it rings back", || race.phone(DAN).is_ringing());
        }
        Some(story)
    }

    /// Waits until one of these is so, and stays so.
    fn comes_to(&mut self, race: &Race, allowed: &BTreeSet<State>, deeds: &[Deed]) {
        let what = &format!("{deeds:?} from {:?}", self.state);
        let may_fail = deeds.contains(&Deed::Consults(By::Keys));
        let is_calm = || race.phones.iter().all(|p| p.is_at_rest() && !p.is_ringing());
        let found = || allowed.iter().find(|state| is_calm() && state.is_so(race));
        let (mut needless, mut is_so) = (0, false);
        for _ in 0..2_000 {
            is_so |= found().is_some();
            if is_so {
                break;
            }
            // A tone says that nobody is there: a slot was empty that was asked for by keys.
            let fails = race.sim.hears(race.phone(ANN)).contains(&Sound::Congestion);
            assert!(!fails || may_fail, "seed {}: {what}: an error tone", race.seed);
            // Nobody rings for long for who has been taken.
            let is_taken = allowed.iter().all(|state| state.at[EVE] != At::Slot);
            needless += u64::from(is_taken && race.phone(DAN).is_ringing());
            assert!(needless < 200, "seed {}: {what}: it rings on", race.seed);
            race.sim.run_for(millis(50));
        }
        // Keys that are no code are passed on by now, and what is under way has arrived.
        race.sim.run_for(secs(6));
        let Some(state) = found() else {
            let hears = race.sim.who_hears_what();
            panic!("seed {}: {what}: none of {allowed:#?}; {hears:?}", race.seed)
        };
        self.state = *state;
        for (situation, cast) in state.situations() {
            race.heard(situation, &cast);
            if let ("talk", [(_, a), (_, b)]) = (situation, cast.as_slice())
                && state.at[*a] == At::With(*b)
            {
                assert!(share_a_call(race, *a, *b), "seed {}: {what}: no handle", race.seed);
            }
        }
    }

    /// What two may do now.
    fn choose(&self, race: &mut Race) -> Vec<Deed> {
        let busy: Vec<usize> = (0..PEOPLE).filter(|who| self.state.at[*who] != At::Home).collect();
        let mut deeds = vec![Deed::HangsUp(race.pick(&busy)), Deed::HangsUp(race.pick(&busy))];
        if self.state.at[FAY] == At::Home && self.asks != Asks::Echo {
            deeds.push(Deed::Comes);
        }
        if race.phone(DAN).is_ringing() {
            deeds.extend([Deed::TakesBack; 3]);
        }
        if self.state.waits() {
            deeds.extend([Deed::Completes, Deed::HangsUp(ANN), Deed::Returns(By::Program)]);
            deeds.extend([Deed::Returns(By::Keys), Deed::EndsConsultation, Deed::EndsOriginal]);
            deeds.extend([Deed::Meddles("transfer"), Deed::Meddles("offhold")]);
        }
        let mut chosen = Vec::new();
        if self.state.at[ANN] == At::With(BOB) {
            // Mostly she asks, at times with nobody to disturb her.
            let asks = Deed::Consults(race.pick(&[By::Program, By::Keys]));
            match race.chance.below(5) {
                0 => {}
                1 | 2 => return vec![asks],
                _ => chosen.push(asks),
            }
            deeds.extend([Deed::Returns(By::Program), Deed::Completes, Deed::EndsOriginal]);
        }
        while chosen.len() < 2 {
            let deed = race.pick(&deeds);
            if !chosen.contains(&deed) || matches!(deed, Deed::HangsUp(_)) {
                chosen.push(deed);
            }
        }
        if race.chance.below(2) == 0 {
            chosen.reverse();
        }
        chosen
    }

    fn does(&self, race: &Race, deed: Deed) {
        let number = self.asks.number();
        let order = |text: &str| _ = race.sim.orders(0, "100", self.original, action(text));
        let extension = race.sim.extension("100");
        let ends = |call| _ = race.sim.ask(0, Command::Hangup { extension, call });
        match deed {
            Deed::HangsUp(who) => _ = race.phone(who).hangs_up(),
            Deed::Consults(By::Program) => order(&format!("attend {number}")),
            Deed::Consults(By::Keys) => _ = race.phone(ANN).presses(&format!("*2{number}#")),
            Deed::Completes => order("transfer"),
            Deed::Returns(By::Program) => order("offhold"),
            Deed::Returns(By::Keys) => _ = race.phone(ANN).presses("*2"),
            Deed::Comes => race.phone(FAY).dials(number),
            Deed::TakesBack => _ = race.phone(DAN).answers(),
            Deed::EndsConsultation => self.consultation.into_iter().for_each(ends),
            Deed::EndsOriginal => ends(self.original),
            Deed::Meddles(order) => {
                race.sim.orders(0, "101", self.original_of_bob, action(order));
            }
        }
    }

    /// Two things happen at the same instant.
    fn happens(&mut self, race: &mut Race, kill_after: Option<u64>) -> Vec<Deed> {
        let calls = race.sim.listed("100").into_iter().filter(|call| call.real_call);
        let others = calls.filter_map(|call| call.call_api_id).find(|id| *id != self.original);
        self.consultation = others.filter(|_| self.state.waits());
        assert_eq!(self.consultation.is_some(), self.state.waits(), "seed {}", race.seed);
        let deeds = self.choose(race);
        kill_after.into_iter().for_each(|things| race.sim.kill_after(things));
        for deed in &deeds {
            self.does(race, *deed);
            let gap = race.pick(&[0, 3, 40, 400]);
            race.pause(gap);
        }
        deeds
    }

    fn round(&mut self, race: &mut Race) {
        let deeds = self.happens(race, None);
        let allowed = self.state.after_all(&deeds, self.asks);
        self.comes_to(race, &allowed, &deeds);
    }

    /// A round in which the switch dies; `false`: it has not come so far.
    fn dies(&mut self, race: &mut Race) -> bool {
        let lives = race.sim.lives();
        let things = race.chance.below(40);
        self.happens(race, Some(things));
        race.sim.run_for(secs(2));
        race.sim.is_kill_pending();
        race.sim.lives() > lives
    }

    fn is_over(&self) -> bool {
        self.state.at.iter().all(|at| *at == At::Home)
    }
}

/// Whether two talk under one handle.
fn share_a_call(race: &Race, a: usize, b: usize) -> bool {
    let handles = |who: usize| {
        let calls = race.sim.listed(&race.phone(who).name()).into_iter();
        let uuid = |call: Arc<CallView>| call.call_api_id.map(|id| id.uuid);
        calls.filter(|call| call.real_call).filter_map(uuid).collect::<BTreeSet<_>>()
    };
    !handles(a).is_disjoint(&handles(b))
}

/// So often something happens.
const ROUNDS: usize = 4;

fn story(asks: Asks) {
    let (mut seen, mut runs) = (0, 0);
    race(SEEDS, PEOPLE as u64, |race| {
        runs += 1;
        let Some(mut story) = Story::begin(race, asks) else { return };
        for _ in 0..ROUNDS {
            if story.is_over() {
                return;
            }
            story.round(race);
            seen += u64::from(story.state.waits());
        }
    });
    assert!(seen > runs / 3 || runs < SEEDS, "Ann has asked in {seen} rounds of {runs} runs");
}

#[test]
fn whatever_happens_while_somebody_asks_who_is_parked_each_is_with_whom_it_should_be() {
    story(Asks::Slot);
}

#[test]
fn whatever_happens_while_somebody_asks_in_a_room_each_is_with_whom_it_should_be() {
    story(Asks::Room);
}

#[test]
fn whatever_happens_while_somebody_asks_the_echo_each_is_with_whom_it_should_be() {
    story(Asks::Echo);
}

#[test]
fn whoever_asks_when_the_switch_dies_is_hung_up_with_all_others_after_its_restart() {
    race(SEEDS, PEOPLE as u64, |race| {
        let asks = race.pick(&[Asks::Slot, Asks::Room, Asks::Echo]);
        let Some(mut story) = Story::begin(race, asks) else { return };
        if race.chance.below(2) == 0 {
            story.round(race);
        }
        if story.is_over() || !story.dies(race) {
            return;
        }
        // Who has called meanwhile may have come through to a switch that is there again.
        race.phone(FAY).hangs_up();
        if race.seed.is_multiple_of(2) {
            race.until("everybody is told", || race.phones.iter().all(Phone::is_idle));
        } else {
            // Last words that were lost with the switch are repeated by nobody.
            race.until("the calls are over", || race.sim.gauges().calls == 0);
        }
        let hears = race.sim.who_hears_what();
        assert!(hears.values().all(BTreeSet::is_empty), "seed {}: {hears:?}", race.seed);
    });
}
