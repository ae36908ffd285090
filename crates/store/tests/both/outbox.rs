//! Letters: who is to have one, when, and what becomes of it.

use chrono::TimeDelta;
use conclave_accounts::InviteeId;
use conclave_store::{
    BookingChange, Letter, LetterKind, LetterProblem, NewBooking, SqlStore, Store,
};

use crate::common::{Asked, Bed, act, at, databases, plan, windows};

databases!(
    letters_come_with_the_booking,
    a_letter_is_leased_sent_or_tried_again,
    a_change_is_told_to_all,
    a_cancellation_goes_to_who_had_word,
);

use LetterKind::{Cancellation, Invitation};

async fn booked(bed: &Bed, store: &SqlStore) -> (conclave_accounts::Booking, [InviteeId; 3]) {
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let mut named: Vec<_> = ["Grace", "Edsger", "Barbara"]
        .iter()
        .map(|name| bed.invitee(name, &bed.fresh()))
        .collect();
    named[2].mail = false;
    let new = NewBooking {
        guest: None,
        invitees: named,
        ..bed.booking(ada.id, &[(60, 90)])
    };
    let booking = store.book(new, &act(at(0))).await.unwrap();
    let ids = [0, 1, 2].map(|n: usize| booking.invitees[n].id);
    (booking, ids)
}

async fn due(store: &SqlStore, seconds: i64) -> Vec<Letter> {
    store
        .due_letters(10, TimeDelta::seconds(60), at(seconds))
        .await
        .unwrap()
}

fn whose(letters: &[Letter]) -> Vec<(Option<InviteeId>, LetterKind)> {
    letters
        .iter()
        .map(|letter| (letter.invitee, letter.kind))
        .collect()
}

async fn letters_come_with_the_booking(bed: Bed) {
    let store = bed.serve().await;
    let (booking, [grace, edsger, _]) = booked(&bed, &store).await;
    let expected = [(Some(grace), Invitation), (Some(edsger), Invitation)];
    let letters = due(&store, 1).await;
    assert_eq!(whose(&letters), expected, "who wants no mail gets none");
    assert!(
        letters
            .iter()
            .all(|letter| letter.booking == booking.id && letter.tries == 0)
    );
    // With one Guest PIN for all, the owner gets an invitation to pass on.
    store
        .book(bed.booking(booking.account, &[(60, 90)]), &act(at(2)))
        .await
        .unwrap();
    assert_eq!(whose(&due(&store, 3).await), [(None, Invitation)]);
    let silent = NewBooking {
        mail: false,
        ..bed.booking(booking.account, &[(60, 90)])
    };
    store.book(silent, &act(at(4))).await.unwrap();
    assert_eq!(due(&store, 5).await, []);
}

async fn a_letter_is_leased_sent_or_tried_again(bed: Bed) {
    let store = bed.serve().await;
    booked(&bed, &store).await;
    let first = store
        .due_letters(1, TimeDelta::seconds(60), at(1))
        .await
        .unwrap();
    let second = due(&store, 2).await;
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first[0].id, second[0].id, "it is somebody else's");
    assert_eq!(due(&store, 3).await, []);
    store.letter_sent(first[0].id, at(4)).await.unwrap();
    store
        .letter_failed(second[0].id, "451 later", Some(at(100)))
        .await
        .unwrap();
    assert_eq!(due(&store, 99).await, []);
    // A letter that is due outlives whoever was to send it.
    store.close().await;
    drop(store);
    let store = bed.serve().await;
    let again = due(&store, 100).await;
    assert_eq!(
        (again.len(), again[0].id, again[0].tries),
        (1, second[0].id, 1)
    );
    // Whoever had the lease died: it comes again.
    assert_eq!(due(&store, 159).await, []);
    assert_eq!(due(&store, 160).await, again);
    store
        .letter_failed(again[0].id, "550 unknown", None)
        .await
        .unwrap();
    assert_eq!(due(&store, 100_000).await, []);
    let problems = store.letter_problems(first[0].booking).await.unwrap();
    let given_up = LetterProblem {
        invitee: again[0].invitee,
        kind: LetterKind::Invitation,
        why: "550 unknown".to_owned(),
        again: None,
    };
    assert_eq!(problems, [given_up]);
}

async fn a_change_is_told_to_all(bed: Bed) {
    let store = bed.serve().await;
    let (booking, [grace, edsger, _]) = booked(&bed, &store).await;
    let letters = due(&store, 1).await;
    store.letter_sent(letters[0].id, at(2)).await.unwrap();
    store
        .letter_failed(letters[1].id, "451 later", Some(at(100)))
        .await
        .unwrap();
    let mut change = BookingChange {
        time: Some((plan(&[(70, 90)]), windows(&[(70, 90)]))),
        ..BookingChange::default()
    };
    store
        .change_booking(booking.id, &change, &act(at(3)))
        .await
        .unwrap();
    assert_eq!(due(&store, 4).await, [], "nobody is to have word of it");
    change.mail = true;
    store
        .change_booking(booking.id, &change, &act(at(5)))
        .await
        .unwrap();
    let told = due(&store, 6).await;
    let all = [(Some(grace), Invitation), (Some(edsger), Invitation)];
    assert_eq!(whose(&told), all);
    // A letter that was under way when another took its place isn't tried again.
    store
        .change_booking(booking.id, &change, &act(at(7)))
        .await
        .unwrap();
    for letter in &told {
        store
            .letter_failed(letter.id, "451 later", Some(at(8)))
            .await
            .unwrap();
    }
    assert_eq!(whose(&due(&store, 1000).await), all);
}

async fn a_cancellation_goes_to_who_had_word(bed: Bed) {
    let store = bed.serve().await;
    let (booking, [grace, edsger, barbara]) = booked(&bed, &store).await;
    let letters = due(&store, 1).await;
    store.letter_sent(letters[0].id, at(2)).await.unwrap();
    store
        .letter_failed(letters[1].id, "451 later", Some(at(100)))
        .await
        .unwrap();
    store.withdraw(barbara, &act(at(3))).await.unwrap();
    assert_eq!(due(&store, 3).await, []);
    let late = bed.invitee("Late", &bed.fresh());
    let late = store
        .invite(booking.id, late, &act(at(4)))
        .await
        .unwrap()
        .invitees[3]
        .id;
    // Its letter is on its way: nobody can say that it won't arrive.
    assert_eq!(whose(&due(&store, 5).await), [(Some(late), Invitation)]);
    store.cancel_booking(booking.id, &act(at(6))).await.unwrap();
    let told = [(Some(grace), Cancellation), (Some(late), Cancellation)];
    assert_eq!(whose(&due(&store, 50).await), told);
    let rest = due(&store, 105).await;
    assert!(
        rest.is_empty(),
        "Edsger {edsger} had none, and gets none any more: {rest:?}"
    );

    let (booking, [grace, edsger, _]) = booked(&bed, &store).await;
    let letters = due(&store, 1000).await;
    let own = letters
        .iter()
        .find(|letter| letter.invitee == Some(grace))
        .unwrap();
    store.letter_sent(own.id, at(1001)).await.unwrap();
    store.withdraw(grace, &act(at(1002))).await.unwrap();
    assert_eq!(
        whose(&due(&store, 1003).await),
        [(Some(grace), Cancellation)]
    );
    store
        .cancel_booking(booking.id, &act(at(1010)))
        .await
        .unwrap();
    let told = whose(&due(&store, 1011).await);
    assert_eq!(told, [(Some(edsger), Cancellation)], "nobody is told twice");
}
