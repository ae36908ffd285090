//! Bookings: their doors, changes, invitees, clashes, lists.

use conclave_accounts::{AccountId, AccountState, BookingState, Role, Title};
use conclave_store::{
    AccountChange, BookingChange, BookingFilter, NewAccount, NewBooking, Page, Store, StoreError,
};

use crate::common::{Asked, Bed, act, at, databases, minute, plan, windows};

databases!(
    a_booking_opens_in_its_time_alone,
    a_series_opens_each_time,
    a_change_keeps_the_pins,
    a_cancelled_booking_opens_nothing,
    one_invitee_goes_and_the_others_stay,
    who_may_not_book_does_not,
    a_closed_account_cancels_what_it_booked,
    clashes_are_found,
    lists_come_in_pages,
);

async fn a_booking_opens_in_its_time_alone(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let (host, guest) = (bed.fresh(), bed.fresh());
    let new = NewBooking {
        host: bed.host(&host),
        guest: Some(bed.guest(&guest)),
        ..bed.booking(ada.id, &[(60, 90)])
    };
    let booking = store.book(new.clone(), &act(at(0))).await.unwrap();
    assert_eq!((booking.sequence, &booking.uid), (0, &new.uid));
    assert_eq!(
        store.booking(booking.id).await.unwrap(),
        Some(booking.clone())
    );
    for pin in [&host, &guest] {
        for (when, opens) in [(54, false), (55, true), (60, true), (89, true), (90, false)] {
            assert_eq!(
                bed.opens(&store, pin, minute(when)).await,
                opens,
                "minute {when}"
            );
        }
    }
    let door = bed.door(&store, &host, minute(60)).await.unwrap();
    assert_eq!((door.account, door.role), (ada.id, Role::Host));
    assert_eq!(door.window, Some(new.windows[0]));
    let pins = store.booking_pins(booking.id).await.unwrap();
    assert_eq!((pins.len(), pins[0].invitee), (1, None));
    assert_eq!(pins[0].open(&bed.keys).unwrap().expose(), guest);
    let ends = store.ends_of(&[booking.id], minute(70)).await.unwrap();
    assert_eq!(ends, [(booking.id, minute(90))]);
    // Its PINs are known for as long as they rest.
    let over = bed.door(&store, &guest, minute(95)).await.unwrap();
    assert_eq!(over.state, AccountState::Closed);
}

async fn a_series_opens_each_time(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let guest = bed.fresh();
    let new = NewBooking {
        guest: Some(bed.guest(&guest)),
        ..bed.booking(ada.id, &[(60, 90), (200, 230), (300, 330)])
    };
    let windows = new.windows.clone();
    let id = store.book(new, &act(at(0))).await.unwrap().id;
    for (when, window, opens) in [
        (10, 0, false),
        (70, 0, true),
        (90, 1, false),
        (199, 1, true),
        (229, 1, true),
        (230, 2, false),
        (329, 2, true),
    ] {
        let door = bed.door(&store, &guest, minute(when)).await.unwrap();
        assert_eq!(door.window, Some(windows[window]), "minute {when}");
        assert_eq!(door.is_open(minute(when)), opens, "minute {when}");
    }
    for (when, end) in [(0, 90), (89, 90), (90, 230), (300, 330), (400, 330)] {
        let ends = store.ends_of(&[id], minute(when)).await.unwrap();
        assert_eq!(ends, [(id, minute(end))], "minute {when}");
    }
}

async fn a_change_keeps_the_pins(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let guest = bed.fresh();
    let new = NewBooking {
        guest: Some(bed.guest(&guest)),
        ..bed.booking(ada.id, &[(60, 90), (100, 120)])
    };
    let booking = store.book(new, &act(at(0))).await.unwrap();
    let change = BookingChange {
        title: Some(Title::new("Strategy").unwrap()),
        ..BookingChange::default()
    };
    let changed = store
        .change_booking(booking.id, &change, &act(at(1)))
        .await
        .unwrap();
    assert_eq!((changed.title.as_str(), changed.sequence), ("Strategy", 1));
    assert!(bed.opens(&store, &guest, minute(70)).await);
    let change = BookingChange {
        time: Some((plan(&[(500, 530)]), windows(&[(500, 530)]))),
        ..BookingChange::default()
    };
    let changed = store
        .change_booking(booking.id, &change, &act(at(2)))
        .await
        .unwrap();
    assert_eq!((changed.title.as_str(), changed.sequence), ("Strategy", 2));
    assert!(!bed.opens(&store, &guest, minute(70)).await);
    assert!(bed.opens(&store, &guest, minute(500)).await);
    assert_eq!(
        store.ends_of(&[booking.id], minute(70)).await.unwrap()[0].1,
        minute(530)
    );
    let late = store
        .change_booking(booking.id, &change, &act(minute(530)))
        .await;
    assert!(matches!(late, Err(StoreError::Over(id)) if id == booking.id));
}

async fn a_cancelled_booking_opens_nothing(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let guest = bed.fresh();
    let new = NewBooking {
        guest: Some(bed.guest(&guest)),
        ..bed.booking(ada.id, &[(60, 90)])
    };
    let id = store.book(new.clone(), &act(at(0))).await.unwrap().id;
    let cancelled = store.cancel_booking(id, &act(minute(70))).await.unwrap();
    assert_eq!(
        (cancelled.state, cancelled.sequence),
        (BookingState::Cancelled, 1)
    );
    let door = bed.door(&store, &guest, minute(70)).await.unwrap();
    assert_eq!(door.state, AccountState::Closed);
    assert_eq!(store.totals().await.unwrap().bookings, 0);
    assert_eq!(store.booking_pins(id).await.unwrap(), []);
    let again = store.cancel_booking(id, &act(minute(71))).await;
    assert!(matches!(again, Err(StoreError::Cancelled(_))));
    let change = BookingChange::default();
    let changed = store.change_booking(id, &change, &act(minute(71))).await;
    assert!(matches!(changed, Err(StoreError::Cancelled(_))));
    let other = NewBooking {
        uid: "another".to_owned(),
        host: bed.host(&bed.fresh()),
        ..new
    };
    let reused = store.book(other, &act(minute(72))).await;
    assert!(matches!(reused, Err(StoreError::PinTaken)), "its PINs rest");
    let nobody = store
        .cancel_booking(conclave_accounts::BookingId(99), &act(at(0)))
        .await;
    assert!(matches!(nobody, Err(StoreError::NoSuchBooking(_))));
}

async fn one_invitee_goes_and_the_others_stay(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let [grace, edsger, barbara] = [bed.fresh(), bed.fresh(), bed.fresh()];
    let new = NewBooking {
        guest: None,
        invitees: vec![bed.invitee("Grace", &grace), bed.invitee("Edsger", &edsger)],
        ..bed.booking(ada.id, &[(60, 90)])
    };
    let booking = store.book(new, &act(at(0))).await.unwrap();
    let names: Vec<_> = booking.invitees.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["Grace", "Edsger"]);
    let door = bed.door(&store, &grace, minute(60)).await.unwrap();
    assert_eq!(door.holder.as_deref(), Some("Grace"));
    assert_eq!(door.invitee, Some(booking.invitees[0].id));

    let withdrawn = store
        .withdraw(booking.invitees[0].id, &act(minute(1)))
        .await
        .unwrap();
    assert!(withdrawn.invitees[0].withdrawn && !withdrawn.invitees[1].withdrawn);
    assert!(!bed.opens(&store, &grace, minute(60)).await);
    assert!(bed.opens(&store, &edsger, minute(60)).await);
    let again = store
        .withdraw(booking.invitees[0].id, &act(minute(1)))
        .await;
    assert!(matches!(again, Err(StoreError::Withdrawn(_))));

    let more = bed.invitee("Barbara", &barbara);
    let invited = store
        .invite(booking.id, more, &act(minute(2)))
        .await
        .unwrap();
    assert_eq!(invited.invitees.len(), 3);
    assert!(bed.opens(&store, &barbara, minute(60)).await);
    let pins = store.booking_pins(booking.id).await.unwrap();
    let whose: Vec<_> = pins.iter().map(|pin| pin.invitee.unwrap()).collect();
    assert_eq!(whose, [invited.invitees[1].id, invited.invitees[2].id]);
    assert_eq!(pins[1].open(&bed.keys).unwrap().expose(), barbara);

    let all = store
        .book(bed.booking(ada.id, &[(60, 90)]), &act(at(0)))
        .await
        .unwrap();
    let late = bed.invitee("Late", &bed.fresh());
    let one = store.invite(all.id, late.clone(), &act(at(1))).await;
    assert!(matches!(one, Err(StoreError::OnePinForAll(_))));
    // Who was invited alone and withdrawn leaves a booking to which others may be invited yet.
    for invitee in &invited.invitees[1..] {
        store.withdraw(invitee.id, &act(minute(3))).await.unwrap();
    }
    store
        .invite(booking.id, late.clone(), &act(minute(4)))
        .await
        .unwrap();
    store
        .cancel_booking(booking.id, &act(minute(5)))
        .await
        .unwrap();
    let after = store.invite(booking.id, late, &act(minute(6))).await;
    assert!(matches!(after, Err(StoreError::Cancelled(_))));
}

async fn who_may_not_book_does_not(bed: Bed) {
    let store = bed.serve().await;
    let ada = NewAccount {
        bookings: false,
        ..bed.account("Ada")
    };
    let ada = store.add_account(ada, at(0)).await.unwrap();
    let book = async || {
        store
            .book(bed.booking(ada.id, &[(60, 90)]), &act(at(1)))
            .await
    };
    assert!(matches!(book().await, Err(StoreError::NoBookings(_))));
    let nobody = store
        .book(bed.booking(AccountId(99), &[(60, 90)]), &act(at(1)))
        .await;
    assert!(matches!(nobody, Err(StoreError::NoSuchAccount(_))));
    let change = AccountChange {
        bookings: Some(true),
        department: Some(Some("Sales".to_owned())),
        ..AccountChange::default()
    };
    let changed = store
        .change_account(ada.id, &change, &act(at(2)))
        .await
        .unwrap();
    assert_eq!(changed.department.as_deref(), Some("Sales"));
    assert_eq!(store.account(ada.id).await.unwrap(), Some(changed));
    book().await.unwrap();
    store
        .set_state(ada.id, AccountState::Closed, &act(at(3)))
        .await
        .unwrap();
    assert!(matches!(book().await, Err(StoreError::Closed(_))));
}

async fn a_closed_account_cancels_what_it_booked(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let bob = store.add_account(bed.account("Bob"), at(0)).await.unwrap();
    let mut ids = Vec::new();
    for (account, from) in [(ada.id, 10), (ada.id, 60), (bob.id, 60)] {
        let new = bed.booking(account, &[(from, from + 10)]);
        ids.push(store.book(new, &act(at(0))).await.unwrap().id);
    }
    store.sweep(&Default::default(), minute(30)).await.unwrap();
    store
        .set_state(ada.id, AccountState::Closed, &act(minute(40)))
        .await
        .unwrap();
    let mut states = Vec::new();
    for id in &ids {
        states.push(store.booking(*id).await.unwrap().unwrap().state);
    }
    use BookingState::{Booked, Cancelled};
    assert_eq!(states, [Booked, Cancelled, Booked], "what is over was held");
    let totals = store.totals().await.unwrap();
    assert_eq!((totals.accounts, totals.bookings), (1, 1));
}

async fn clashes_are_found(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let same = NewAccount {
        owner: conclave_accounts::Owner::new("Ada L.", "ADA@example.org").unwrap(),
        ..bed.account("Other")
    };
    let same = store.add_account(same, at(0)).await.unwrap();
    let bob = store.add_account(bed.account("Bob"), at(0)).await.unwrap();
    let book = async |account, minutes: &[(i64, i64)]| {
        let new = bed.booking(account, minutes);
        store.book(new, &act(at(0))).await.unwrap().id
    };
    let first = book(ada.id, &[(60, 90)]).await;
    let touching = book(ada.id, &[(90, 120)]).await;
    let series = book(same.id, &[(10, 20), (80, 95), (200, 210)]).await;
    let others = book(bob.id, &[(60, 90)]).await;
    let inside = book(ada.id, &[(70, 75)]).await;
    let clashes = async |id| store.clashes(id).await.unwrap();
    assert_eq!(clashes(first).await, [series, inside]);
    assert_eq!(clashes(touching).await, [series]);
    assert_eq!(clashes(series).await, [first, touching]);
    assert_eq!(clashes(others).await, []);
    store.cancel_booking(inside, &act(at(1))).await.unwrap();
    assert_eq!(clashes(first).await, [series]);
    assert_eq!(clashes(inside).await, []);
}

async fn lists_come_in_pages(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let bob = store.add_account(bed.account("Bob"), at(0)).await.unwrap();
    let mut ids = Vec::new();
    for n in 0..7 {
        let account = if n % 2 == 0 { ada.id } else { bob.id };
        // The later it is made, the sooner it takes place.
        let new = bed.booking(account, &[(100 - n * 10, 105 - n * 10)]);
        ids.push(store.book(new, &act(at(0))).await.unwrap().id);
    }
    store.cancel_booking(ids[0], &act(at(1))).await.unwrap();
    let check = async |filter: BookingFilter, expected: &[usize]| {
        let expected: Vec<_> = expected.iter().map(|n| ids[*n]).collect();
        let mut found = Vec::new();
        let mut page = Page::first(2);
        loop {
            let part = store.bookings(&filter, page).await.unwrap();
            assert!(part.len() <= 2);
            let Some(last) = part.last() else { break };
            page.after = last.id.0;
            found.extend(part.iter().map(|booking| booking.id));
        }
        assert_eq!(found, expected, "{filter:?}");
    };
    let (account, from) = (Some(ada.id), Some(minute(65)));
    check(BookingFilter::default(), &[0, 1, 2, 3, 4, 5, 6]).await;
    let filter = BookingFilter {
        account,
        from: None,
    };
    check(filter, &[0, 2, 4, 6]).await;
    check(
        BookingFilter {
            account: None,
            from,
        },
        &[1, 2, 3],
    )
    .await;
    check(BookingFilter { account, from }, &[2]).await;
}
