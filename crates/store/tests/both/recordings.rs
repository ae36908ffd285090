//! The files of recordings: who is told of them, when they are due to go, and what they keep from going.

use std::time::Duration;

use conclave_accounts::{AccountId, CallId, Role};
use conclave_conference::{ConferenceId, LeaveReason, RecordingId};
use conclave_store::{
    AuditPage, Books, Entry, Keep, Period, ReportFilter, SqlStore, Store, StoreError,
};

use crate::common::{Asked, Bed, Told, act, at, caller, databases, days};

databases!(
    a_recording_is_listed_until_its_file_is_gone,
    what_was_being_written_is_closed_at_the_next_start,
    an_old_conference_stays_as_long_as_its_recording,
    an_erased_person_takes_their_recordings_along,
);

const SECOND: Duration = Duration::from_secs(1);
const DAY: i64 = 86_400;

/// A Host's conference `n` at `when`, with a recording of 90 seconds, of all and of the Host alone.
fn recorded(told: &mut Told<SqlStore>, n: u32, when: i64, account: AccountId) {
    let call = CallId(n.into());
    told.answered(n.into(), when, caller());
    told.started(n, when, account);
    told.admitted(n, n.into(), when, Role::Host);
    for (call, file) in [
        (None, format!("{n}.opus")),
        (Some(call), format!("{n}-1.opus")),
    ] {
        told.entries.push(Entry::RecordingFile {
            conference: ConferenceId(n),
            recording: RecordingId(1),
            call,
            file,
            at: at(when + 10),
        });
    }
    told.entries.push(Entry::RecordingOver {
        conference: ConferenceId(n),
        recording: RecordingId(1),
        length: 90 * SECOND,
    });
    told.departed(n, n.into(), when + 100);
    told.closed(n, when + 100);
    told.ended(n.into(), when + 100, LeaveReason::HungUp);
}

async fn files(store: &SqlStore, filter: &ReportFilter) -> Vec<String> {
    let rows = store.recordings(filter).await.unwrap();
    rows.into_iter().map(|row| row.file).collect()
}

fn all() -> ReportFilter {
    ReportFilter::all(Period::default())
}

async fn a_recording_is_listed_until_its_file_is_gone(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let bob = store.add_account(bed.account("Bob"), at(0)).await.unwrap();
    let mut told = Told::new(store).await;
    recorded(&mut told, 1, 0, ada.id);
    recorded(&mut told, 2, 5 * DAY, bob.id);
    told.written(5 * DAY + 100).await;
    let store = &told.store;

    let rows = store.recordings(&all()).await.unwrap();
    let calls = store.all_calls().await;
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (&*row.file, &*row.owner, row.call, row.seconds, row.started))
        .collect();
    let (first, second) = (Some(calls[0].id), Some(calls[1].id));
    assert_eq!(
        shown,
        [
            ("1.opus", "Ada", None, Some(90.0), at(10)),
            ("1-1.opus", "Ada", first, Some(90.0), at(10)),
            ("2.opus", "Bob", None, Some(90.0), at(5 * DAY + 10)),
            ("2-1.opus", "Bob", second, Some(90.0), at(5 * DAY + 10)),
        ]
    );
    let bobs = ReportFilter {
        account: Some(bob.id),
        ..all()
    };
    assert_eq!(files(store, &bobs).await, ["2.opus", "2-1.opus"]);
    let of = ReportFilter {
        conference: Some(rows[0].conference),
        ..all()
    };
    assert_eq!(files(store, &of).await, ["1.opus", "1-1.opus"]);
    let late = ReportFilter::all(Period {
        from: Some(at(DAY)),
        to: None,
    });
    assert_eq!(files(store, &late).await, ["2.opus", "2-1.opus"]);

    // One by somebody's word, Ada's by their age.
    let due = async |before| {
        let due = store.due_recordings(at(before), 9).await.unwrap();
        due.iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert!(due(10).await.is_empty());
    let ordered = act(at(6 * DAY));
    store.delete_recording(rows[3].id, &ordered).await.unwrap();
    store.delete_recording(rows[3].id, &ordered).await.unwrap();
    assert_eq!(due(DAY).await, [rows[0].id, rows[1].id, rows[3].id]);
    for id in due(DAY).await {
        store.recording_gone(id, at(6 * DAY)).await.unwrap();
    }
    assert_eq!(files(store, &all()).await, ["2.opus"]);
    let gone = store.recording(rows[3].id).await;
    assert!(matches!(gone, Err(StoreError::NoSuchRecording(id)) if id == rows[3].id));
    let kinds = |kind: &'static str| async move {
        let span = store.audit_span(Period::default()).await.unwrap().unwrap();
        let page = AuditPage {
            kind: Some(kind.to_owned()),
            ..AuditPage::of(Period::default(), span, 0)
        };
        store.audit(&page).await.unwrap().len()
    };
    assert_eq!(kinds("recording.deleted").await, 1, "told once");
    assert_eq!(kinds("recording.expired").await, 2);
}

async fn what_was_being_written_is_closed_at_the_next_start(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let mut told = Told::new(store).await;
    recorded(&mut told, 1, 0, ada.id);
    told.entries
        .retain(|entry| !matches!(entry, Entry::RecordingOver { .. }));
    told.written(100).await;
    let store = told.store;
    assert_eq!(
        store.due_recordings(at(DAY), 9).await.unwrap(),
        [],
        "nobody deletes what is being written"
    );
    store.begin_run(at(200)).await.unwrap();
    let open = store.open_recordings().await.unwrap();
    assert_eq!(open.len(), 2);
    for row in &open {
        assert_eq!(row.seconds, None);
        store.close_recording(row.id, 61 * SECOND).await.unwrap();
    }
    assert_eq!(store.open_recordings().await.unwrap(), []);
    assert_eq!(
        store.recording(open[0].id).await.unwrap().seconds,
        Some(61.0)
    );
}

async fn an_old_conference_stays_as_long_as_its_recording(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let mut told = Told::new(store).await;
    recorded(&mut told, 1, 0, ada.id);
    told.written(100).await;
    let store = told.store;
    let keep = Keep {
        calls: days(1),
        ..Keep::default()
    };
    assert_eq!(store.sweep(&keep, at(9 * DAY)).await.unwrap().calls, 0);
    assert_eq!(files(&store, &all()).await.len(), 2);
    for row in store.due_recordings(at(DAY), 9).await.unwrap() {
        store.recording_gone(row.id, at(9 * DAY)).await.unwrap();
    }
    assert_eq!(store.sweep(&keep, at(9 * DAY)).await.unwrap().calls, 1);
}

async fn an_erased_person_takes_their_recordings_along(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let bob = store.add_account(bed.account("Bob"), at(0)).await.unwrap();
    let mut told = Told::new(store).await;
    recorded(&mut told, 1, 0, ada.id);
    recorded(&mut told, 2, 0, bob.id);
    told.written(100).await;
    let store = told.store;
    let email = ada.owner.email();
    let person = store.export_person(email).await.unwrap();
    let theirs: Vec<_> = person.recordings.iter().map(|row| &*row.file).collect();
    assert_eq!(theirs, ["1.opus", "1-1.opus"]);
    store.erase_person(email, &act(at(200))).await.unwrap();
    let due = store.due_recordings(at(0), 9).await.unwrap();
    let due: Vec<_> = due.into_iter().map(|row| row.file).collect();
    assert_eq!(due, ["1.opus", "1-1.opus"]);
}
