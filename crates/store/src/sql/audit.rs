//! The audit log in the database: each deed of an operator, and what befell conferences, as entries of one chain.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use conclave_accounts::AccountId;
use rand_core::CryptoRng;
use serde_json::{Map, Value, json};

use super::{Arg, Row, SqlStore, Turn, args, reports};
use crate::audit::names::{self, Names, SEEN_EVERY};
use crate::error::{Result, bad};
use crate::{
    Act, Anchor, AuditKey, AuditPage, AuditRow, Broken, Commitment, Draft, Fault, Fingerprint,
    Head, HeadFile, KeyName, Keys, Mac, Noted, Page, Period, Sealed, StoreError, Subject,
    SubjectKind, Verified, Verifier,
};

pub(super) const LAST: &str = "SELECT seq, mac FROM audit ORDER BY seq DESC LIMIT 1";
pub(super) const MARKS: &str = "SELECT name, mark FROM key_marks";
pub(super) const ADD_MARK: &str =
    "INSERT INTO key_marks (name, mark) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
pub(super) const APPEND: &str =
    "INSERT INTO audit (seq, at, kind, body, mac) VALUES ($1, $2, $3, $4, $5)";
pub(super) const SUBJECT: &str =
    "SELECT commitment FROM audit_subjects WHERE kind = $1 AND belongs = $2 AND value = $3";
pub(super) const BELONGING: &str =
    "SELECT commitment FROM audit_subjects WHERE kind = $1 AND belongs = $2";
pub(super) const ADD_SUBJECT: &str =
    "INSERT INTO audit_subjects (commitment, kind, belongs, value, salt, last_at)
    VALUES ($1, $2, $3, $4, $5, $6)";
pub(super) const SEEN_SUBJECT: &str =
    "UPDATE audit_subjects SET last_at = $2 WHERE commitment = $1 AND last_at < $3";
// Many at once: a page of entries speaks of thousands.
pub(super) const SUBJECTS_OF: &str =
    "SELECT commitment, kind, value, salt FROM audit_subjects WHERE commitment IN (
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
        $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)";
pub(super) const SUBJECTS: &str = "SELECT commitment, kind, value, salt FROM audit_subjects
    WHERE commitment > $1 ORDER BY commitment LIMIT $2";
pub(super) const ERASE_SUBJECT: &str = "DELETE FROM audit_subjects
    WHERE kind = $1 AND belongs = '' AND value = $2 RETURNING commitment";
pub(super) const ERASE_COMMITMENT: &str =
    "DELETE FROM audit_subjects WHERE commitment = $1 RETURNING commitment";
pub(super) const ERASE_BELONGINGS: &str =
    "DELETE FROM audit_subjects WHERE kind = $1 AND belongs = $2 RETURNING commitment";
pub(super) const FORGET_SUBJECTS: &str = "DELETE FROM audit_subjects WHERE commitment IN
    (SELECT commitment FROM audit_subjects WHERE kind = $1 AND last_at < $2 ORDER BY last_at LIMIT $3)";
pub(super) const ANCHOR: &str = "SELECT seq, mac, proof FROM audit_anchor WHERE one = 1";
pub(super) const SET_ANCHOR: &str =
    "INSERT INTO audit_anchor (one, seq, mac, proof) VALUES (1, $1, $2, $3)
    ON CONFLICT (one) DO UPDATE SET seq = excluded.seq, mac = excluded.mac, proof = excluded.proof";
pub(super) const CHAIN: &str =
    "SELECT seq, at, kind, body, mac FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2";
pub(super) const FIRST: &str = "SELECT seq, at, kind, body, mac FROM audit ORDER BY seq LIMIT $1";
pub(super) const ENTRIES: &str = "SELECT seq, at, kind, body, mac FROM audit
    WHERE seq > $1 AND seq <= $5 AND at >= $2 AND at < $3 ORDER BY seq LIMIT $4";
pub(super) const ENTRIES_OF_KIND: &str = "SELECT seq, at, kind, body, mac FROM audit
    WHERE kind = $6 AND seq > $1 AND seq <= $5 AND at >= $2 AND at < $3 ORDER BY seq LIMIT $4";
pub(super) const NEXT_KIND: &str = "SELECT kind FROM audit WHERE kind > $1 ORDER BY kind LIMIT 1";
pub(super) const OF_KIND: &str = "SELECT seq FROM audit WHERE kind = $1 LIMIT 1";
// Plainly the smallest and the greatest `seq`, they would be looked for from the log's ends on.
pub(super) const SPAN: &str = "SELECT MIN(seq + 0) AS first, MAX(seq + 0) AS last FROM audit
    WHERE at >= $1 AND at < $2";
pub(super) const ANY_BEFORE: &str = "SELECT seq FROM audit WHERE at < $1 ORDER BY at LIMIT 1";
pub(super) const AT: &str = "SELECT seq, at, kind, body, mac FROM audit WHERE seq = $1";
pub(super) const CUT: &str = "DELETE FROM audit WHERE seq <= $1";

/// So many subjects does [`SUBJECTS_OF`] ask for.
const SUBJECTS_AT_ONCE: usize = 32;

/// So many entries are read at once.
const BATCH: u32 = 5_000;

/// A transaction that leaves entries in the audit log.
pub(super) struct Deed {
    pub(super) turn: Turn,
    /// The end of the chain, once it was asked for.
    head: Option<Head>,
    /// Whether the chain has grown, and from the head that is noted outside the database.
    grown: bool,
    confirmed: bool,
    /// The log has entries, and nothing outside the database tells of any.
    headless: bool,
    auditor: Auditor,
}

/// What a commitment stands for.
#[derive(Clone)]
struct Secret {
    kind: SubjectKind,
    /// With whom it is erased.
    belongs: String,
    value: String,
}

/// An entry to be: plain particulars, and what stands in the log as commitments only.
#[derive(Clone)]
pub(super) struct Note {
    kind: String,
    at: DateTime<Utc>,
    plain: Map<String, Value>,
    secret: BTreeMap<String, Secret>,
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Note")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Note {
    /// An entry about what an operator did.
    pub(super) fn of(act: &Act, kind: &str) -> Self {
        Self::at(kind, act.at).by(&act.by)
    }

    /// An entry about what happened.
    pub(super) fn at(kind: &str, at: DateTime<Utc>) -> Self {
        Self {
            kind: kind.to_owned(),
            at,
            plain: Map::new(),
            secret: BTreeMap::new(),
        }
    }

    pub(super) fn number(self, key: &str, number: u64) -> Self {
        self.plain(key, json!(number))
    }

    pub(super) fn word(self, key: &str, word: &str) -> Self {
        self.plain(key, json!(word))
    }

    pub(super) fn plain(mut self, key: &str, value: Value) -> Self {
        self.plain.insert(key.to_owned(), value);
        self
    }

    /// Whoever works on the bridge: a commitment stands for it.
    pub(super) fn by(self, operator: &str) -> Self {
        let operator = operator.to_owned();
        self.committed("by", SubjectKind::Operator, String::new(), operator)
    }

    /// A caller's number: it is erased with the call, whatever other calls came from it.
    pub(super) fn number_of(self, call: u64, number: &str) -> Self {
        let (call, number) = (call.to_string(), number.to_owned());
        self.committed("number", SubjectKind::Number, call, number)
    }

    /// That these subjects were erased.
    pub(super) fn erased(mut self, commitments: &[Commitment]) -> Self {
        names::erasure(&mut self.plain, commitments);
        self
    }

    /// That numbers spoken of before this moment were forgotten.
    pub(super) fn numbers_forgotten(at: DateTime<Utc>, before: DateTime<Utc>) -> Self {
        let mut note = Self::at(names::NUMBERS_FORGOTTEN, at).word("by", "retention");
        names::retention(&mut note.plain, before);
        note
    }

    /// A person. Two of one name are told apart by their addresses, by which they are erased, too.
    pub(super) fn person(self, key: &str, name: &str, email: &str) -> Self {
        let value = format!("{name} <{email}>");
        self.committed(key, SubjectKind::Person, email.to_lowercase(), value)
    }

    /// An e-mail address, by which it is erased, too.
    pub(super) fn address(self, key: &str, email: &str) -> Self {
        let email = email.to_owned();
        self.committed(key, SubjectKind::Email, email.clone(), email)
    }

    /// What a booking of an account is about.
    pub(super) fn title(self, key: &str, title: &str, account: AccountId) -> Self {
        let belongs = account.to_string();
        self.committed(key, SubjectKind::Title, belongs, title.to_owned())
    }

    fn committed(mut self, key: &str, kind: SubjectKind, belongs: String, value: String) -> Self {
        let secret = Secret {
            kind,
            belongs,
            value,
        };
        self.secret.insert(key.to_owned(), secret);
        self
    }
}

impl Deed {
    /// Adds an entry to the chain; before the first one after `audit.head` was lost, one that says so.
    pub(super) async fn note(&mut self, note: Note) -> Result<()> {
        let head = self.head().await?;
        if std::mem::take(&mut self.headless) {
            tracing::warn!(
                "there is no audit.head beside an audit log of {} entries: a new one is noted, and an entry says so",
                head.seq
            );
            let new = Note::at("audit.head-new", note.at).number("after", head.seq);
            self.chain(new).await?;
        }
        self.chain(note).await
    }

    async fn chain(&mut self, note: Note) -> Result<()> {
        let mut body = note.plain;
        for (key, secret) in &note.secret {
            let commitment = self.commit_to(secret, note.at).await?;
            let committed = names::commitment_as_json(secret.kind, &commitment);
            body.insert(key.clone(), committed);
        }
        let draft = Draft {
            at: note.at,
            kind: note.kind,
            body: Value::Object(body).to_string(),
        };
        let head = self.head().await?;
        let key = self.auditor.key();
        let sealed = key.link(&head.mac, &draft, head.seq + 1);
        let row = args![
            sealed.seq,
            sealed.at,
            &sealed.kind,
            &sealed.body,
            &sealed.mac.as_bytes()[..]
        ];
        self.turn.run(APPEND, row).await?;
        self.head = Some(head.after(&sealed));
        self.grown = true;
        Ok(())
    }

    /// Cuts these entries off the front of the chain, behind an anchor that vouches for what is gone: so they are
    /// verified before.
    pub(super) async fn cut(&mut self, front: &[Sealed]) -> Result<()> {
        let Some(last) = front.last() else {
            return Ok(());
        };
        // All around a cut that was noted is evidence.
        if let Ok(Some(Noted { cut: Some(seq), .. })) = self.auditor.noted() {
            let fault = Fault::Cut;
            return Err(Broken { seq, fault }.into());
        }
        let before = anchor(&mut self.turn).await?;
        let mut verifier = Verifier::new(self.auditor.key(), before.as_ref(), None)?;
        for entry in front {
            verifier.push(entry)?;
        }
        verifier.finish()?;
        let Anchor { seq, mac, proof } = self.auditor.key().anchor(last);
        let anchor = args![seq, &mac.as_bytes()[..], &proof.as_bytes()[..]];
        self.turn.run(SET_ANCHOR, anchor).await?;
        self.turn.run(CUT, args![seq]).await?;
        let head = self.head().await?;
        self.head = Some(Head {
            anchor: seq,
            ..head
        });
        self.grown = true;
        Ok(())
    }

    /// The transaction's end. The head outside the database follows it: a crash in between leaves it behind, which
    /// is no fault of the chain.
    pub(super) async fn commit(self) -> Result<()> {
        self.turn.commit().await?;
        if let Some(head) = self.head.filter(|_| self.grown && self.confirmed) {
            self.auditor.advance(&head);
        }
        Ok(())
    }

    /// The chain's end.
    async fn head(&mut self) -> Result<Head> {
        if let Some(head) = self.head {
            return Ok(head);
        }
        let anchor_row = anchor(&mut self.turn).await?;
        let last = match self.turn.one(LAST, &[]).await? {
            Some(row) => Some((row.id("seq")?, mac_from(&row, "mac")?)),
            None => anchor_row.map(|anchor| (anchor.seq, anchor.mac)),
        };
        let (seq, mac) = last.unwrap_or((0, self.auditor.key().start()));
        let anchor = anchor_row.map_or(0, |anchor| anchor.seq);
        self.confirmed = self.confirm(anchor_row, seq).await?;
        let head = Head { seq, mac, anchor };
        self.head = Some(head);
        Ok(head)
    }

    /// Whether the chain still has the head that was noted outside the database. Where it hasn't, the log was cut or
    /// written anew: what happens is written down all the same, but the note stays as it is, so that it shows, and
    /// says from where on entries were missing: new ones take their numbers.
    async fn confirm(&mut self, anchor: Option<Anchor>, last: u64) -> Result<bool> {
        let noted = match self.auditor.noted() {
            Ok(Some(noted)) => noted.head,
            Ok(None) => {
                self.headless = last > 0;
                return Ok(true);
            }
            Err(error) => {
                tracing::error!(%error, "the audit log can't be compared with its noted head");
                return Ok(false);
            }
        };
        if anchor
            .is_some_and(|anchor| noted.seq < anchor.seq && self.auditor.key().vouches_for(&anchor))
        {
            // Retention took it: this bridge has slept while another worked on the same database.
            return Ok(true);
        }
        let there = match self.turn.one(AT, args![noted.seq]).await? {
            Some(row) => Some(mac_from(&row, "mac")?),
            None => anchor
                .filter(|anchor| anchor.seq == noted.seq)
                .map(|anchor| anchor.mac),
        };
        if let Err(broken) = noted.confirm(there.as_ref()) {
            tracing::error!(
                "THE AUDIT LOG WAS TAMPERED WITH: {broken}; `report audit --verify` says more"
            );
            if last < noted.seq {
                self.auditor.note_cut(last + 1);
            }
            return Ok(false);
        }
        Ok(true)
    }

    /// The commitment to a value; the same one for as long as it isn't erased.
    async fn commit_to(&mut self, secret: &Secret, now: DateTime<Utc>) -> Result<Commitment> {
        let Secret {
            kind,
            belongs,
            value,
        } = secret;
        let known = args![kind.word(), belongs, value];
        if let Some(row) = self.turn.one(SUBJECT, known).await? {
            let bytes = row.blob("commitment")?;
            let seen = args![&bytes[..], now, now - SEEN_EVERY];
            self.turn.run(SEEN_SUBJECT, seen).await?;
            return commitment_from(bytes);
        }
        let subject = self.auditor.subject(*kind, value);
        let commitment = subject.commitment();
        let row = args![
            &commitment.as_bytes()[..],
            kind.word(),
            belongs,
            value,
            &subject.salt[..],
            now
        ];
        self.turn.run(ADD_SUBJECT, row).await?;
        Ok(commitment)
    }
}

impl SqlStore {
    /// A transaction that may leave entries in the audit log.
    pub(super) async fn deed(&self) -> Result<Deed> {
        Ok(Deed {
            turn: self.db.begin().await?,
            head: None,
            grown: false,
            confirmed: false,
            headless: false,
            auditor: self.auditor.clone(),
        })
    }

    /// Refuses a database that was made with other keys: no PIN in it would be recognised.
    pub(super) async fn check_keys(&self) -> Result<()> {
        let keys = &self.auditor.0.keys;
        let mut noted = BTreeMap::new();
        for row in self.db.all(MARKS, &[]).await? {
            let mark = row.blob("mark")?.try_into();
            let mark = mark.map_err(|_| bad("mark", "it has another length"))?;
            let name = KeyName::parse(&row.text("name")?);
            let name = name.ok_or_else(|| bad("key_marks", "a key of an unknown name"))?;
            noted.insert(name, Fingerprint::from_bytes(mark));
        }
        keys.check(noted.iter().map(|(name, mark)| (*name, *mark)))?;
        let new: Vec<_> = keys
            .fingerprints()
            .filter(|(name, _)| !noted.contains_key(name))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let mut turn = self.db.begin().await?;
        for (name, mark) in new {
            turn.run(ADD_MARK, args![&name.to_string(), mark.as_bytes()])
                .await?;
        }
        turn.commit().await
    }

    pub(super) async fn note_down(&self, kind: &str, body: &Value, act: &Act) -> Result<()> {
        let mut note = Note::of(act, kind);
        for (key, value) in body.as_object().into_iter().flatten() {
            note = note.plain(key, value.clone());
        }
        let mut deed = self.deed().await?;
        deed.note(note).await?;
        deed.commit().await
    }

    pub(super) async fn audit_rows(&self, page: &AuditPage) -> Result<Vec<AuditRow>> {
        let (from, to) = reports::bounds(page.period);
        let limit = match page.limit {
            0 => Page::MOST,
            limit => limit.min(Page::MOST),
        };
        let (after, last) = (page.after, page.last.unwrap_or(i64::MAX as u64));
        let rows = match page.kind.as_deref().unwrap_or("") {
            "" => {
                let all = args![after, from, to, limit, last];
                self.db.all(ENTRIES, all).await?
            }
            prefix => {
                let mut rows = Vec::new();
                for kind in self.kinds(prefix).await? {
                    let of_kind = args![after, from, to, limit, last, &kind];
                    rows.extend(self.db.all(ENTRIES_OF_KIND, of_kind).await?);
                }
                let mut rows = rows
                    .into_iter()
                    .map(|row| Ok((row.id("seq")?, row)))
                    .collect::<Result<Vec<_>>>()?;
                rows.sort_by_key(|(seq, _)| *seq);
                rows.truncate(limit as usize);
                rows.into_iter().map(|(_, row)| row).collect()
            }
        };
        let bodies = rows.iter().map(body_from).collect::<Result<Vec<_>>>()?;
        self.shown(rows.iter().zip(bodies)).await
    }

    /// The entries that hold one of these commitments, and nothing of what else is committed to in them. Reads the
    /// whole log: for what is asked once in a while.
    pub(super) async fn speaking_of(
        &self,
        commitments: &BTreeSet<Vec<u8>>,
    ) -> Result<Vec<AuditRow>> {
        let (mut entries, mut after) = (Vec::new(), 0);
        if commitments.is_empty() {
            return Ok(entries);
        }
        loop {
            let rows = self.db.all(CHAIN, args![after, BATCH]).await?;
            let mut speaking = Vec::new();
            for row in &rows {
                after = row.id("seq")?;
                let mut body = body_from(row)?;
                let mut found = false;
                for value in body.as_object_mut().into_iter().flat_map(Map::values_mut) {
                    match names::committed(value) {
                        Some((_, one)) if commitments.contains(&one.as_bytes()[..]) => found = true,
                        Some((kind, _)) => *value = json!(format!("(another {})", kind.word())),
                        None => {}
                    }
                }
                if found {
                    speaking.push((row, body));
                }
            }
            entries.extend(self.shown(speaking.into_iter()).await?);
            if (rows.len() as u32) < BATCH {
                return Ok(entries);
            }
        }
    }

    /// By which names and addresses the owners of these accounts were called when they were made and changed.
    pub(super) async fn called_before(&self, accounts: &[u64]) -> Result<Vec<Commitment>> {
        let mut names = Vec::new();
        for kind in self.kinds("account.").await? {
            let mut after = 0;
            loop {
                let page = args![after, i64::MIN, i64::MAX, BATCH, i64::MAX, &kind];
                let rows = self.db.all(ENTRIES_OF_KIND, page).await?;
                for row in &rows {
                    after = row.id("seq")?;
                    let body = body_from(row)?;
                    let account = body.get("account").and_then(Value::as_u64);
                    if account.is_some_and(|account| accounts.contains(&account)) {
                        let owner = body.get("owner").and_then(names::committed);
                        names.extend(owner.map(|(_, commitment)| commitment));
                    }
                }
                if (rows.len() as u32) < BATCH {
                    break;
                }
            }
        }
        Ok(names)
    }

    /// Entries with what the commitments in them stand for, as far as it isn't erased.
    async fn shown(&self, entries: impl Iterator<Item = (&Row, Value)>) -> Result<Vec<AuditRow>> {
        let entries: Vec<_> = entries.collect();
        let values = entries
            .iter()
            .flat_map(|(_, body)| body.as_object().into_iter().flat_map(Map::values));
        let spoken = values.filter_map(names::committed);
        let known = self
            .subjects(spoken.map(|(_, one)| *one.as_bytes()).collect())
            .await?;
        let show = |(row, body): (&Row, Value)| {
            Ok(AuditRow {
                seq: row.id("seq")?,
                at: row.moment("at")?,
                kind: row.text("kind")?,
                body: reveal(body, &known),
            })
        };
        entries.into_iter().map(show).collect()
    }

    async fn subjects(&self, of: BTreeSet<[u8; 32]>) -> Result<BTreeMap<[u8; 32], Subject>> {
        let of: Vec<_> = of.into_iter().collect();
        let mut known = BTreeMap::new();
        for some in of.chunks(SUBJECTS_AT_ONCE) {
            // The last one again where they are fewer.
            let asked: Vec<_> = (0..SUBJECTS_AT_ONCE)
                .filter_map(|n| some.get(n).or(some.last()))
                .map(|one| Arg::from(&one[..]))
                .collect();
            for row in self.db.all(SUBJECTS_OF, &asked).await? {
                let commitment = commitment_from(row.blob("commitment")?)?;
                known.insert(*commitment.as_bytes(), subject_from(&row)?);
            }
        }
        Ok(known)
    }

    /// The first and the last entry of a period.
    pub(super) async fn span(&self, period: Period) -> Result<Option<(u64, u64)>> {
        let (from, to) = reports::bounds(period);
        let Some(row) = self.db.one(SPAN, args![from, to]).await? else {
            return Ok(None);
        };
        Ok(row.id_opt("first")?.zip(row.id_opt("last")?))
    }

    /// The kinds of entries there are that begin so: a few dozen at most, each found by one step into the index.
    async fn kinds(&self, prefix: &str) -> Result<Vec<String>> {
        let mut kinds = Vec::new();
        if self.db.one(OF_KIND, args![prefix]).await?.is_some() {
            kinds.push(prefix.to_owned());
        }
        let mut last = prefix.to_owned();
        while let Some(row) = self.db.one(NEXT_KIND, args![&last]).await? {
            last = row.text("kind")?;
            if !last.starts_with(prefix) {
                break;
            }
            kinds.push(last.clone());
        }
        Ok(kinds)
    }

    pub(super) async fn verify(&self) -> Result<Verified> {
        loop {
            let before = self.db.one(ANCHOR, &[]).await?.map(|row| row.id("seq"));
            let verified = self.verify_once().await;
            let after = self.db.one(ANCHOR, &[]).await?.map(|row| row.id("seq"));
            match verified {
                // Retention may have taken entries away that were still to be read.
                Err(StoreError::Broken(_)) if before.transpose()? != after.transpose()? => {}
                other => return other,
            }
        }
    }

    /// Takes the log as it stands for the whole of it, after somebody has looked into what verification found about its
    /// head: notes that anew, and says so in an entry. A chain that is broken itself stays so.
    pub(super) async fn accept(&self, act: &Act) -> Result<Option<String>> {
        let found = match self.verify().await {
            Ok(verified) if verified.against_head => return Ok(None),
            Ok(_) => "nothing that it could be compared with was noted".to_owned(),
            Err(StoreError::Broken(broken)) => broken.to_string(),
            Err(StoreError::Head(error)) => error.to_string(),
            Err(error) => return Err(error),
        };
        let whole = self.verify_against(None).await?;
        self.auditor.reset(&whole.last)?;
        let body = json!({ "found": found });
        self.note_down("audit.accepted", &body, act).await?;
        Ok(Some(found))
    }

    async fn verify_once(&self) -> Result<Verified> {
        // Before the entries: what is added meanwhile lies behind it.
        self.verify_against(self.auditor.noted()?).await
    }

    pub(super) async fn verify_against(&self, noted: Option<Noted>) -> Result<Verified> {
        let mut turn = self.db.begin().await?;
        let anchor = anchor(&mut turn).await?;
        let first = turn.all(FIRST, args![BATCH]).await?;
        drop(turn);
        let mut verifier = Verifier::new(self.auditor.key(), anchor.as_ref(), noted)?;
        let mut names = Names::default();
        let start = anchor.map_or(0, |anchor| anchor.seq);
        let push = |sealed: &Sealed| {
            verifier.push(sealed)?;
            names.push(sealed);
            Ok(())
        };
        let end = self.each_entry(first, start, push).await?;
        // After the entries: the subjects of all that were read are there by now.
        self.each_subject(|commitment, subject| names.subject(commitment, subject))
            .await?;
        // And what was erased meanwhile is told by an entry.
        let since = self.db.all(CHAIN, args![end, BATCH]).await?;
        let push = |sealed: &Sealed| {
            verifier.push(sealed)?;
            names.forgive(sealed);
            Ok(())
        };
        self.each_entry(since, end, push).await?;
        let verified = verifier.finish()?;
        names.finish()?;
        Ok(verified)
    }

    /// Hands on these entries and all that follow; says which was the last.
    async fn each_entry(
        &self,
        mut rows: Vec<Row>,
        mut place: u64,
        mut each: impl FnMut(&Sealed) -> Result<()>,
    ) -> Result<u64> {
        loop {
            for row in &rows {
                let sealed = sealed_from(row)?;
                place = sealed.seq;
                each(&sealed)?;
            }
            if (rows.len() as u32) < BATCH {
                return Ok(place);
            }
            rows = self.db.all(CHAIN, args![place, BATCH]).await?;
        }
    }

    async fn each_subject(&self, mut each: impl FnMut(&Commitment, &Subject)) -> Result<()> {
        let mut after = Vec::new();
        loop {
            let rows = self.db.all(SUBJECTS, args![&after[..], BATCH]).await?;
            for row in &rows {
                after = row.blob("commitment")?;
                each(&commitment_from(after.clone())?, &subject_from(row)?);
            }
            if (rows.len() as u32) < BATCH {
                return Ok(());
            }
        }
    }
}

/// What the store needs to chain its entries: the key, the head's file, and randomness for the commitments' salts.
#[derive(Clone)]
pub struct Auditor(Arc<AuditorParts>);

struct AuditorParts {
    keys: Keys,
    head: HeadFile,
    random: Mutex<Box<dyn CryptoRng + Send>>,
}

impl fmt::Debug for Auditor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auditor")
    }
}

impl Auditor {
    /// For the data directory `dir`, with its keys and a source of random numbers.
    pub fn new(dir: &Path, keys: &Keys, random: Box<dyn CryptoRng + Send>) -> Self {
        Self(Arc::new(AuditorParts {
            keys: keys.clone(),
            head: HeadFile::open(dir, keys.audit()),
            random: Mutex::new(random),
        }))
    }

    pub(super) fn key(&self) -> &AuditKey {
        self.0.keys.audit()
    }

    pub(super) fn noted(&self) -> Result<Option<Noted>> {
        Ok(self.0.head.read()?)
    }

    /// Notes this head whatever was noted.
    pub(super) fn reset(&self, head: &Head) -> Result<()> {
        Ok(self.0.head.reset(head)?)
    }

    /// A head that can't be noted is no reason to stop what was done: it is told, and verification will say so.
    fn advance(&self, head: &Head) {
        if let Err(error) = self.0.head.advance(head) {
            tracing::error!(%error, "the head of the audit log can't be noted outside the database");
        }
    }

    /// What is missing will be named as the entry that it is from here on.
    fn note_cut(&self, first_lost: u64) {
        if let Err(error) = self.0.head.note_cut(first_lost) {
            tracing::error!(%error, "where the audit log was cut can't be noted outside the database");
        }
    }

    fn subject(&self, kind: SubjectKind, value: &str) -> Subject {
        let mut random = self.0.random.lock().unwrap_or_else(PoisonError::into_inner);
        Subject::draw(kind, value, &mut **random)
    }
}

/// Forgets what all commitments of a kind that belong to somebody stand for, and says which.
pub(super) async fn forget_all(
    turn: &mut Turn,
    kind: SubjectKind,
    belongs: &str,
) -> Result<Vec<Commitment>> {
    let gone = turn
        .all(ERASE_BELONGINGS, args![kind.word(), belongs])
        .await?;
    commitments(&gone)
}

/// Forgets what this commitment stands for; says whether it was known.
pub(super) async fn forget_one(
    turn: &mut Turn,
    commitment: &Commitment,
) -> Result<Vec<Commitment>> {
    let gone = turn
        .all(ERASE_COMMITMENT, args![&commitment.as_bytes()[..]])
        .await?;
    commitments(&gone)
}

/// Forgets what commitments that belong to nobody stand for, and says which.
pub(super) async fn forget(
    turn: &mut Turn,
    kind: SubjectKind,
    value: &str,
) -> Result<Vec<Commitment>> {
    let gone = turn.all(ERASE_SUBJECT, args![kind.word(), value]).await?;
    commitments(&gone)
}

fn commitments(rows: &[Row]) -> Result<Vec<Commitment>> {
    rows.iter()
        .map(|row| commitment_from(row.blob("commitment")?))
        .collect()
}

fn subject_from(row: &Row) -> Result<Subject> {
    let kind = SubjectKind::from_word(&row.text("kind")?);
    let salt = row.blob("salt")?.try_into();
    Ok(Subject {
        kind: kind.ok_or_else(|| bad("kind", "no kind of subject"))?,
        value: row.text("value")?,
        salt: salt.map_err(|_| bad("salt", "it has another length"))?,
    })
}

async fn anchor(turn: &mut Turn) -> Result<Option<Anchor>> {
    let Some(row) = turn.one(ANCHOR, &[]).await? else {
        return Ok(None);
    };
    Ok(Some(Anchor {
        seq: row.id("seq")?,
        mac: mac_from(&row, "mac")?,
        proof: mac_from(&row, "proof")?,
    }))
}

/// A value that doesn't match its commitment was changed in the database: it is not shown.
fn reveal(mut body: Value, known: &BTreeMap<[u8; 32], Subject>) -> Value {
    let Some(object) = body.as_object_mut() else {
        return body;
    };
    names::count_forgotten(object);
    for value in object.values_mut() {
        let Some((kind, commitment)) = names::committed(value) else {
            continue;
        };
        *value = Value::String(match known.get(commitment.as_bytes()) {
            Some(subject) if subject.kind == kind && subject.matches(&commitment) => {
                subject.value.clone()
            }
            Some(_) => format!("(a {} that was changed in the database)", kind.word()),
            None => format!("(erased {})", kind.word()),
        });
    }
    body
}

fn body_from(row: &Row) -> Result<Value> {
    serde_json::from_str(&row.text("body")?).map_err(|e| bad("body", e))
}

pub(super) fn sealed_from(row: &Row) -> Result<Sealed> {
    Ok(Sealed {
        seq: row.id("seq")?,
        at: row.moment("at")?,
        kind: row.text("kind")?,
        body: row.text("body")?,
        mac: mac_from(row, "mac")?,
    })
}

fn mac_from(row: &Row, column: &'static str) -> Result<Mac> {
    let bytes = row.blob(column)?.try_into();
    Ok(Mac::from_bytes(
        bytes.map_err(|_| bad(column, "it has another length"))?,
    ))
}

fn commitment_from(bytes: Vec<u8>) -> Result<Commitment> {
    let bytes = bytes
        .try_into()
        .map_err(|_| bad("commitment", "it has another length"))?;
    Ok(Commitment::from_bytes(bytes))
}
