use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::{Commitment, Subject, SubjectKind};

fn key() -> AuditKey {
    AuditKey::new([7; 32])
}

fn draft(n: u64) -> Draft {
    Draft {
        at: DateTime::from_timestamp_millis(1_700_000_000_000 + n as i64 * 7).unwrap(),
        kind: ["pin-wrong", "account-added", "operator"][n as usize % 3].to_owned(),
        body: format!("{{\"n\":{n}}}"),
    }
}

/// A log as the store keeps it, and the head noted outside.
#[derive(Debug, Clone)]
struct Log {
    rows: Vec<Sealed>,
    anchor: Option<Anchor>,
    noted: Head,
}

impl Log {
    fn new() -> Self {
        Self {
            rows: Vec::new(),
            anchor: None,
            noted: Head {
                seq: 0,
                mac: key().start(),
                anchor: 0,
            },
        }
    }

    fn of(entries: u64) -> Self {
        let mut log = Self::new();
        (0..entries).for_each(|n| log.add(&draft(n)));
        log
    }

    fn add(&mut self, draft: &Draft) {
        let entry = key().link(&self.noted.mac, draft, self.noted.seq + 1);
        self.noted = self.noted.after(&entry);
        self.rows.push(entry);
    }

    /// Retention, as the store does it: verify, vouch, delete, note.
    fn delete_front(&mut self, count: usize) {
        let gone: Vec<_> = self.rows.drain(..count).collect();
        let Some(last) = gone.last() else { return };
        verify(&gone, self.anchor.as_ref(), None).unwrap();
        self.anchor = Some(key().anchor(last));
        self.noted.anchor = last.seq;
    }

    fn verify(&self) -> Result<Verified, Broken> {
        verify(&self.rows, self.anchor.as_ref(), Some(self.noted))
    }
}

fn verify(
    rows: &[Sealed],
    anchor: Option<&Anchor>,
    noted: Option<Head>,
) -> Result<Verified, Broken> {
    let key = key();
    let mut verifier = Verifier::new(&key, anchor, noted.map(Noted::from))?;
    // To the end whatever it says: the first error must stay the one that is told.
    for row in rows {
        let _ = verifier.push(row);
    }
    verifier.finish()
}

/// What somebody without the key can do to the rows.
#[derive(Debug, Clone)]
enum Tamper {
    Time(Index, i64),
    Kind(Index, String),
    Body(Index, String),
    Mac(Index, usize),
    Number(Index, u64),
    Remove(Index),
    /// And the numbers after it close up.
    RemoveAndRenumber(Index),
    Copy(Index, Index),
    Forge(Index, [u8; 32]),
    Swap(Index, Index),
    /// With everything but the numbers.
    SwapContents(Index, Index),
    CutFront(Index),
    CutTail(Index),
}

fn tamper() -> impl Strategy<Value = Tamper> {
    use Tamper::*;
    let at = any::<Index>;
    prop_oneof![
        (at(), 1..1000_i64).prop_map(|(i, by)| Time(i, by)),
        (at(), "[a-z]{0,3}").prop_map(|(i, kind)| Kind(i, kind)),
        (at(), "[a-z]{0,3}").prop_map(|(i, body)| Body(i, body)),
        (at(), 0..256_usize).prop_map(|(i, bit)| Mac(i, bit)),
        (at(), 0..60_u64).prop_map(|(i, seq)| Number(i, seq)),
        at().prop_map(Remove),
        at().prop_map(RemoveAndRenumber),
        (at(), at()).prop_map(|(i, j)| Copy(i, j)),
        (at(), any::<[u8; 32]>()).prop_map(|(i, mac)| Forge(i, mac)),
        (at(), at()).prop_map(|(i, j)| Swap(i, j)),
        (at(), at()).prop_map(|(i, j)| SwapContents(i, j)),
        at().prop_map(CutFront),
        at().prop_map(CutTail),
    ]
}

impl Tamper {
    fn apply(&self, rows: &mut Vec<Sealed>) {
        let len = rows.len();
        if len == 0 {
            return;
        }
        match self {
            Self::Time(i, by) => rows[i.index(len)].at += chrono::TimeDelta::milliseconds(*by),
            Self::Kind(i, kind) => rows[i.index(len)].kind.push_str(kind),
            Self::Body(i, body) => rows[i.index(len)].body = body.clone(),
            Self::Mac(i, bit) => rows[i.index(len)].mac.0[bit / 8] ^= 1 << (bit % 8),
            Self::Number(i, seq) => rows[i.index(len)].seq = *seq,
            Self::Remove(i) => drop(rows.remove(i.index(len))),
            Self::RemoveAndRenumber(i) => {
                let i = i.index(len);
                rows.remove(i);
                rows[i..]
                    .iter_mut()
                    .for_each(|row| row.seq -= 1.min(row.seq));
            }
            Self::Copy(i, j) => rows.insert(i.index(len + 1), rows[j.index(len)].clone()),
            Self::Forge(i, mac) => {
                let i = i.index(len);
                let mut row = rows[i].clone();
                row.mac = super::Mac(*mac);
                rows.insert(i, row);
                rows[i + 1..].iter_mut().for_each(|row| row.seq += 1);
            }
            Self::Swap(i, j) => rows.swap(i.index(len), j.index(len)),
            Self::SwapContents(i, j) => {
                let (i, j) = (i.index(len), j.index(len));
                rows.swap(i, j);
                let seq = rows[i].seq;
                rows[i].seq = rows[j].seq;
                rows[j].seq = seq;
            }
            Self::CutFront(n) => drop(rows.drain(..n.index(len + 1))),
            Self::CutTail(n) => rows.truncate(n.index(len + 1)),
        }
    }
}

/// The number to be named: of the row that should stand where the logs first differ, or of the one that stands
/// there in its stead, whichever is lower.
fn first_difference(before: &Log, after: &[Sealed]) -> Option<u64> {
    let first = before.anchor.map_or(1, |anchor| anchor.seq + 1);
    let longest = before.rows.len().max(after.len());
    let at = (0..longest).find(|n| before.rows.get(*n) != after.get(*n))?;
    let expected = first + at as u64;
    Some(after.get(at).map_or(expected, |row| row.seq.min(expected)))
}

proptest! {
    #[test]
    fn whatever_is_done_to_a_log_is_found_and_its_first_row_named(
        entries in 1..40_u64,
        deleted in any::<Index>(),
        tampers in vec(tamper(), 1..4),
    ) {
        let mut log = Log::of(entries);
        log.delete_front(deleted.index(entries as usize));
        let mut after = log.clone();
        tampers.iter().for_each(|tamper| tamper.apply(&mut after.rows));
        let found = after.verify();
        prop_assert_eq!(found.err().map(|broken| broken.seq), first_difference(&log, &after.rows));
    }

    #[test]
    fn a_log_verifies_through_any_number_of_retentions(
        steps in vec((0..12_u64, any::<Index>()), 1..8),
    ) {
        let mut log = Log::new();
        for (added, deleted) in steps {
            (0..added).for_each(|n| log.add(&draft(n)));
            let before = log.clone();
            log.delete_front(deleted.index(log.rows.len() + 1));
            let expected = Verified {
                entries: log.rows.len() as u64,
                last: log.noted,
                against_head: true,
            };
            prop_assert_eq!(log.verify(), Ok(expected));
            // It crashed between the deletion and the note.
            let late = verify(&log.rows, log.anchor.as_ref(), Some(before.noted));
            prop_assert!(late.is_ok());
            if before.anchor == log.anchor {
                continue;
            }
            let gap = before.anchor.map_or(0, |anchor| anchor.seq) + 1;
            // The rows are put back with the anchor of then.
            let back = Log { noted: log.noted, ..before.clone() };
            let fault = Fault::AnchorOld { noted: log.noted.anchor };
            prop_assert_eq!(back.verify(), Err(Broken { seq: gap, fault }));
            // The front is cut, and nobody vouches for it.
            let cut = verify(&log.rows, before.anchor.as_ref(), None);
            prop_assert_eq!(cut.is_err(), !log.rows.is_empty());
            let cut = verify(&log.rows, before.anchor.as_ref(), Some(before.noted));
            prop_assert_eq!(cut.unwrap_err().seq, gap);
            // Somebody without the key does.
            let mut forged = log.clone();
            let anchor = forged.anchor.as_mut().unwrap();
            anchor.proof.0[0] ^= 1;
            let seq = anchor.seq;
            prop_assert_eq!(forged.verify(), Err(Broken { seq, fault: Fault::AnchorForged }));
        }
    }

    /// A restored backup leaves two genuine histories of one key, with the same numbers.
    #[test]
    fn a_genuine_entry_of_another_history_is_found(
        common in 0..10_usize,
        apart in 2..10_usize,
        at in any::<Index>(),
    ) {
        let of = |salt: u64| {
            let mut log = Log::of(common as u64);
            (0..apart as u64).for_each(|n| log.add(&draft(n * 2 + salt)));
            log
        };
        let (ours, theirs) = (of(100), of(101));
        let at = common + at.index(apart);
        let named = |rows: &[Sealed]| {
            let found = verify(rows, None, Some(ours.noted));
            found.err().map(|broken| broken.seq as usize - 1)
        };
        let last = common + apart - 1;
        // The very first that differs follows on the same predecessor: the one after it tells.
        let spliced = [&ours.rows[..at], &theirs.rows[at..]].concat();
        prop_assert_eq!(named(&spliced), Some(if at == common { last } else { at }));
        let mut replaced = ours.rows.clone();
        replaced[at] = theirs.rows[at].clone();
        prop_assert_eq!(named(&replaced), Some(if at == common { at + 1 } else { at }));
    }

    #[test]
    fn erasing_a_person_leaves_the_log_valid_and_the_name_unprovable(
        names in vec("[A-Z][a-z]{1,6}", 1..12),
        erased in any::<Index>(),
        seed in any::<u64>(),
    ) {
        let mut rng = StdRng::seed_from_u64(seed);
        let draw = |name: &String| Subject::draw(SubjectKind::Person, name, &mut rng);
        let mut subjects: Vec<_> = names.iter().map(draw).collect();
        let mut log = Log::new();
        for subject in &subjects {
            let body = serde_json::json!({ "person": subject.commitment() }).to_string();
            log.add(&Draft { body, ..draft(1) });
        }
        let gone = subjects.remove(erased.index(subjects.len()));
        let noted = gone.commitment();
        prop_assert!(log.verify().is_ok());
        let shown = log.rows.iter().any(|row| row.body.contains(&gone.value));
        prop_assert!(!shown);
        let guess = Subject::draw(SubjectKind::Person, &gone.value, &mut rng);
        prop_assert!(!guess.matches(&noted));
        prop_assert!(!subjects.iter().any(|left| left.matches(&noted)));
    }
}

#[test]
fn what_is_wrong_is_told_in_words() {
    let check = |change: &dyn Fn(&mut Log), expected: &str| {
        let mut log = Log::of(9);
        log.delete_front(2);
        change(&mut log);
        let broken = log.verify().unwrap_err();
        assert!(broken.to_string().starts_with(expected), "{broken}");
    };
    // Rows 3 to 9.
    check(
        &|log| log.rows[1].body.push(' '),
        "audit entry 4: it was changed",
    );
    check(
        &|log| drop(log.rows.remove(1)),
        "audit entry 4: it is missing or out of its place: number 5",
    );
    check(
        &|log| log.rows.insert(2, log.rows[1].clone()),
        "audit entry 4: it is there a second time",
    );
    check(
        &|log| log.rows.push(log.rows[1].clone()),
        "audit entry 4: it was inserted or moved: it comes after number 9",
    );
    check(
        &|log| log.rows.insert(0, Log::of(2).rows[1].clone()),
        "audit entry 2: it was put back",
    );
    check(
        &|log| log.anchor = None,
        "audit entry 1: the front of the log was put back",
    );
    check(
        &|log| log.rows.truncate(5),
        "audit entry 8: it is missing at the end: the head noted outside the database is number 9",
    );
    check(
        &|log| log.rows.clear(),
        "audit entry 3: it is missing at the end",
    );
    check(
        &|log| log.anchor.as_mut().unwrap().seq = 1,
        "audit entry 1: the anchor",
    );
    check(
        &|log| (log.anchor, log.noted.anchor) = (None, 0),
        "audit entry 1: it is missing: the log begins with number 3",
    );
}

#[test]
fn a_log_written_anew_with_the_key_is_found_by_the_noted_head() {
    let old = Log::of(9);
    let check = |rewritten_from: u64, longer_by: u64, expected: Option<u64>| {
        let mut anew = Log::of(rewritten_from - 1);
        (0..10 - rewritten_from + longer_by).for_each(|n| anew.add(&draft(n + 77)));
        assert!(anew.verify().is_ok());
        let found = verify(&anew.rows, None, Some(old.noted)).err();
        assert_eq!(
            found.map(|broken| (broken.seq, broken.fault)),
            expected.map(|seq| (seq, Fault::Replaced))
        );
    };
    check(1, 0, Some(9));
    check(9, 0, Some(9));
    check(5, 3, Some(9));
    // What is newer than the note can't be told from what was really written.
    check(10, 3, None);
}

#[test]
fn an_entry_is_not_added_to_a_log_that_lost_the_noted_head() {
    let noted = Log::of(9).noted;
    let check = |log: Log, expected: Result<(), Fault>| {
        let there = log.rows.iter().find(|row| row.seq == noted.seq);
        let found = noted.confirm(there.map(|row| &row.mac));
        assert_eq!(found.map_err(|broken| broken.fault), expected);
    };
    check(Log::of(9), Ok(()));
    check(Log::of(12), Ok(()));
    check(Log::of(8), Err(Fault::TailCut { head: 9 }));
    let mut anew = Log::of(6);
    (90..99).for_each(|n| anew.add(&draft(n)));
    check(anew, Err(Fault::Replaced));
    assert_eq!(Log::new().noted.confirm(None), Ok(()));
}

/// Another bridge of the same database has worked on meanwhile, and dropped what was old.
#[test]
fn a_head_that_retention_took_is_no_fault_and_no_proof() {
    let mut log = Log::of(9);
    let slept = log.noted;
    (20..30).for_each(|n| log.add(&draft(n)));
    log.delete_front(12);
    let found = verify(&log.rows, log.anchor.as_ref(), Some(slept)).unwrap();
    assert_eq!((found.entries, found.against_head), (7, false));
    let found = verify(&log.rows, log.anchor.as_ref(), Some(log.noted)).unwrap();
    assert!(found.against_head);
}

#[test]
fn the_first_that_was_cut_is_named_though_others_took_its_number() {
    let old = Log::of(9);
    let mut anew = Log::of(6);
    (90..99).for_each(|n| anew.add(&draft(n)));
    let check = |head: Head, cut: Option<u64>, expected: (u64, Fault)| {
        let key = key();
        let mut verifier = Verifier::new(&key, None, Some(Noted { head, cut })).unwrap();
        for row in &anew.rows {
            let _ = verifier.push(row);
        }
        let found = verifier.finish().unwrap_err();
        assert_eq!((found.seq, found.fault), expected);
    };
    check(old.noted, None, (9, Fault::Replaced));
    check(old.noted, Some(7), (7, Fault::Cut));
    // Once retention has taken the place itself, whatever is left is what came afterwards.
    let mut cut = anew.clone();
    cut.delete_front(8);
    let noted = Noted {
        head: cut.noted,
        cut: Some(7),
    };
    let key = key();
    let fault = Verifier::new(&key, cut.anchor.as_ref(), Some(noted)).unwrap_err();
    assert_eq!((fault.seq, fault.fault), (7, Fault::Cut));
}

#[test]
fn a_head_is_compared_only_where_there_is_one() {
    let log = Log::of(9);
    let cut = verify(&log.rows[..5], None, None).unwrap();
    assert_eq!((cut.entries, cut.last.seq, cut.against_head), (5, 5, false));
    let empty = Verifier::new(&key(), None, Some(Log::new().noted.into())).map(Verifier::finish);
    assert_eq!(empty.unwrap().unwrap().last, Log::new().noted);
    let other = AuditKey::new([8; 32]);
    let mut verifier = Verifier::new(&other, None, None).unwrap();
    assert_eq!(
        verifier.push(&log.rows[0]).unwrap_err().fault,
        Fault::Changed
    );
}

#[test]
fn kind_and_body_can_not_be_moved_into_each_other() {
    let link = |kind: &str, body: &str| {
        let (kind, body) = (kind.to_owned(), body.to_owned());
        key()
            .link(
                &key().start(),
                &Draft {
                    kind,
                    body,
                    ..draft(1)
                },
                1,
            )
            .mac
    };
    assert_ne!(link("ab", "c"), link("a", "bc"));
    assert_ne!(link("", "abc"), link("abc", ""));
}

#[test]
fn times_are_kept_as_a_database_keeps_them() {
    let at = DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap();
    let entry = key().link(&key().start(), &Draft { at, ..draft(1) }, 1);
    assert_eq!(entry.at.timestamp_subsec_nanos(), 123_000_000);
    assert!(verify(&[entry], None, None).is_ok());
}

/// An erasure of the first versions took names without saying which.
#[test]
fn names_may_be_gone_where_the_log_says_why() {
    let mut rng = StdRng::seed_from_u64(9);
    let subject = Subject::draw(SubjectKind::Person, "Ada", &mut rng);
    let noted = subject.commitment();
    let spoken = || serde_json::json!({ "owner": { "person": noted } }).to_string();
    let gone = |entries: &[(&str, String)]| {
        let mut log = Log::new();
        let mut names = names::Names::default();
        for (n, (kind, body)) in (0..).zip(entries) {
            let (kind, body) = ((*kind).to_owned(), body.clone());
            let draft = draft(n);
            log.add(&Draft {
                kind,
                body,
                ..draft
            });
        }
        log.rows.iter().for_each(|row| names.push(row));
        names.finish().err().map(|broken| broken.seq)
    };
    let erased = |list: serde_json::Value| list.to_string();
    let (this, other) = (noted, Commitment::from_bytes([9; 32]));
    let listed = |which: Commitment| erased(serde_json::json!({ "forgotten": [which] }));
    let numbers = erased(serde_json::json!({ "before": 1_800_000_000_000_u64 }));
    assert_eq!(gone(&[("account.added", spoken())]), Some(1));
    assert_eq!(
        gone(&[("account.added", spoken()), ("person.erased", listed(this))]),
        None
    );
    assert_eq!(
        gone(&[
            ("account.added", spoken()),
            ("person.erased", listed(other))
        ]),
        Some(1)
    );
    assert_eq!(
        gone(&[("account.added", spoken()), ("person.erased", "{}".into())]),
        None
    );
    assert_eq!(
        gone(&[("person.erased", "{}".into()), ("account.added", spoken())]),
        Some(2)
    );
    assert_eq!(
        gone(&[("account.added", spoken()), ("numbers.forgotten", numbers)]),
        Some(1),
        "a name is no number"
    );
}
