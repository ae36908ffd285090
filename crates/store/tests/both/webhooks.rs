//! Webhooks: who is told of what, in which transaction, and what becomes of it.

use chrono::TimeDelta;
use conclave_accounts::{CallId, Role};
use conclave_conference::{EndReason, Fact, LeaveReason, WaitFor};
use conclave_store::{
    AuditPage, Books, Delivery, HookEvent, Keep, LISTED_FOR, NewWebhook, Page, SqlStore, Store,
    StoreError, UserEmail, UserRole, Webhook, WebhookId, WebhookSecret,
};
use serde_json::{Value, json};

use crate::common::{Asked, Bed, Told, act, at, caller, databases, random};

databases!(
    who_is_told_of_what,
    what_is_open_when_a_bridge_dies_is_told_of_by_the_next,
    what_is_due_is_leased_and_tried_until_it_is_taken,
    a_webhook_is_switched_off_and_on,
    webhooks_go_with_their_user_and_what_was_told_with_time,
);

impl Bed {
    async fn hook(
        &self,
        store: &SqlStore,
        email: &str,
        role: UserRole,
        events: &[HookEvent],
    ) -> Webhook {
        let user = match store.user(email).await.unwrap() {
            Some((user, _)) => user,
            None => {
                let email = UserEmail::parse(email).unwrap();
                store.add_user(&email, role, &act(at(0))).await.unwrap()
            }
        };
        let secret = WebhookSecret::draw(&mut random());
        let url = "https://example.org/hook".to_owned();
        let new = NewWebhook {
            user: user.id,
            secret: self.keys.seal_secret(&secret, &url, [3; 24]),
            url,
            events: events.to_vec(),
        };
        store.add_webhook(&new, &act(at(0))).await.unwrap()
    }
}

/// All that is due for a webhook, as its kind and its data.
async fn due(store: &SqlStore, webhook: &Webhook, seconds: i64) -> Vec<(&'static str, Value)> {
    let due = leased(store, webhook.id, seconds).await;
    let told = |delivery: Delivery| {
        let body: Value = serde_json::from_str(&delivery.body).unwrap();
        assert_eq!(body["type"], delivery.event.word());
        (delivery.event.word(), body["data"].clone())
    };
    due.into_iter().map(told).collect()
}

async fn leased(store: &SqlStore, webhook: WebhookId, seconds: i64) -> Vec<Delivery> {
    store
        .due_deliveries(webhook, 100, TimeDelta::seconds(60), at(seconds))
        .await
        .unwrap()
}

async fn who_is_told_of_what(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let all = bed
        .hook(
            &store,
            "admin@example.org",
            UserRole::Administrator,
            &HookEvent::ALL,
        )
        .await;
    let own = bed
        .hook(&store, ada.owner.email(), UserRole::Host, &HookEvent::ALL)
        .await;
    let few = [HookEvent::ConferenceEnded, HookEvent::BookingCancelled];
    let few = bed
        .hook(&store, ada.owner.email(), UserRole::Host, &few)
        .await;
    let nobody = bed
        .hook(&store, "bob@example.org", UserRole::Host, &HookEvent::ALL)
        .await;
    let auditor = bed
        .hook(
            &store,
            "auditor@example.org",
            UserRole::Auditor,
            &HookEvent::ALL,
        )
        .await;

    let booking = bed.booking(ada.id, &[(60, 90)]);
    let booking = store.book(booking, &act(at(1))).await.unwrap();
    store.cancel_booking(booking.id, &act(at(2))).await.unwrap();
    let mut told = Told::new(store.clone()).await;
    let call = CallId(1);
    told.answered(1, 10, caller());
    told.started(1, 10, ada.id);
    told.admitted(1, 1, 10, Role::Host);
    // Held, and let in again: it has joined once.
    told.fact(1, 12, Fact::Held { call });
    told.fact(1, 13, Fact::Admitted { call });
    told.departed(1, 1, 14);
    told.closed(1, 14);
    told.written(15).await;
    let account = ada.id.0;
    let booked = json!({ "account": account, "booking": booking.id.0 });
    let held = json!({ "account": account, "conference": 1 });
    let with = |more: Value| {
        let mut data = held.clone();
        for (name, value) in more.as_object().unwrap() {
            data[name] = value.clone();
        }
        data
    };
    let everything = [
        ("booking.made", booked.clone()),
        ("booking.cancelled", booked.clone()),
        ("conference.started", held.clone()),
        ("call.joined", with(json!({ "call": 1, "role": "host" }))),
        (
            "call.left",
            with(json!({ "call": 1, "role": "host", "reason": LeaveReason::HungUp.as_str() })),
        ),
        (
            "conference.ended",
            with(json!({ "reason": EndReason::LastLeft.as_str() })),
        ),
    ];
    assert_eq!(due(&store, &all, 20).await, everything);
    assert_eq!(due(&store, &own, 20).await, everything);
    let some = [everything[1].clone(), everything[5].clone()];
    assert_eq!(due(&store, &few, 20).await, some);
    assert_eq!(due(&store, &nobody, 20).await, []);
    assert_eq!(due(&store, &auditor, 20).await, []);
    for row in store.deliveries(all.id, Page::all()).await.unwrap() {
        assert_eq!((row.tries, row.problem, row.delivered), (0, None, None));
    }

    // What is not done is not told.
    let gone = store.cancel_booking(booking.id, &act(at(21))).await;
    assert!(gone.is_err());
    assert_eq!(due(&store, &all, 30).await, []);
    // A user who is shut out is told nothing.
    store
        .suspend_user(own.user.id, true, &act(at(31)))
        .await
        .unwrap();
    let another = bed.booking(ada.id, &[(200, 290)]);
    store.book(another, &act(at(32))).await.unwrap();
    assert_eq!(due(&store, &own, 33).await, []);
    assert_eq!(due(&store, &all, 33).await.len(), 1);
}

async fn what_is_open_when_a_bridge_dies_is_told_of_by_the_next(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let hook = bed
        .hook(&store, ada.owner.email(), UserRole::Host, &HookEvent::ALL)
        .await;
    let mut told = Told::new(store.clone()).await;
    told.answered(1, 2, caller());
    told.answered(2, 2, caller());
    told.started(1, 2, ada.id);
    told.admitted(1, 1, 3, Role::Host);
    let waits = Fact::Arrived {
        call: CallId(2),
        role: Role::Guest,
        holder: None,
        invitee: None,
        waits_for: Some(WaitFor::Consent),
    };
    told.fact(1, 3, waits);
    told.written(4).await;
    assert_eq!(due(&store, &hook, 5).await.len(), 2);
    store.begin_run(at(100)).await.unwrap();
    assert_eq!(due(&store, &hook, 50).await, []);
    let told = leased(&store, hook.id, 101).await;
    let fresh: Vec<_> = told
        .iter()
        .filter(|delivery| delivery.at == at(100))
        .map(|delivery| {
            let body: Value = serde_json::from_str(&delivery.body).unwrap();
            (delivery.event.word(), body["data"]["reason"].clone())
        })
        .collect();
    let interrupted = json!("interrupted");
    assert_eq!(
        fresh,
        [
            ("call.left", interrupted.clone()),
            ("conference.ended", interrupted)
        ]
    );
}

async fn what_is_due_is_leased_and_tried_until_it_is_taken(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let hook = bed
        .hook(&store, ada.owner.email(), UserRole::Host, &HookEvent::ALL)
        .await;
    let booking = bed.booking(ada.id, &[(600, 900)]);
    store.book(booking, &act(at(1))).await.unwrap();
    assert_eq!(store.due_webhooks(10, at(0)).await.unwrap(), []);
    assert_eq!(store.due_webhooks(10, at(1)).await.unwrap(), [hook.id]);
    let [delivery] = &leased(&store, hook.id, 1).await[..] else {
        panic!("one is due");
    };
    assert_eq!(
        (delivery.tries, &*delivery.url),
        (0, "https://example.org/hook")
    );
    let secret = bed.keys.open_secret(&delivery.secret, &delivery.url);
    assert!(secret.unwrap().expose().starts_with("whsec_"));
    assert_eq!(store.due_webhooks(10, at(60)).await.unwrap(), [], "leased");
    assert_eq!(store.due_webhooks(10, at(61)).await.unwrap(), [hook.id]);

    let again = Some(at(100));
    store
        .not_delivered(delivery, "HTTP 500", again, at(2))
        .await
        .unwrap();
    let row = store.deliveries(hook.id, Page::all()).await.unwrap();
    assert_eq!(
        (row[0].tries, row[0].problem.as_deref(), row[0].again),
        (1, Some("HTTP 500"), again)
    );
    let failing = store.webhooks(Some(hook.user.id), Page::all()).await;
    assert_eq!(failing.unwrap()[0].failing, Some(at(2)));
    store
        .not_delivered(delivery, "HTTP 500", again, at(50))
        .await
        .unwrap();
    let failing = store.webhooks(None, Page::all()).await.unwrap();
    assert_eq!(failing[0].failing, Some(at(2)), "since the first");

    let [delivery] = &leased(&store, hook.id, 100).await[..] else {
        panic!("it is due again");
    };
    assert_eq!(delivery.tries, 2);
    store.delivered(delivery, at(101)).await.unwrap();
    let row = store.deliveries(hook.id, Page::all()).await.unwrap();
    assert_eq!(
        (
            row[0].tries,
            &row[0].problem,
            row[0].again,
            row[0].delivered
        ),
        (3, &None, None, Some(at(101)))
    );
    let well = store.webhooks(None, Page::all()).await.unwrap();
    assert_eq!(well[0].failing, None);
    assert_eq!(store.due_webhooks(10, at(10_000)).await.unwrap(), []);

    // The newest first, part by part.
    for n in 2..=4 {
        let booking = bed.booking(ada.id, &[(600 * n, 600 * n + 60)]);
        store.book(booking, &act(at(n))).await.unwrap();
    }
    let part = |after| Page { after, limit: 3 };
    let first = store.deliveries(hook.id, part(0)).await.unwrap();
    let ids: Vec<_> = first.iter().map(|row| row.id).collect();
    assert_eq!(ids, [4, 3, 2]);
    let rest = store.deliveries(hook.id, part(2)).await.unwrap();
    assert_eq!(rest.len(), 1);
}

async fn a_webhook_is_switched_off_and_on(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let hook = bed
        .hook(&store, ada.owner.email(), UserRole::Host, &HookEvent::ALL)
        .await;
    let book = async |n: i64| {
        let booking = bed.booking(ada.id, &[(600 * n, 600 * n + 60)]);
        store.book(booking, &act(at(n))).await.unwrap();
    };
    book(1).await;
    store
        .disable_webhook(hook.id, "it took nothing for 5 days", at(5))
        .await
        .unwrap();
    book(6).await;
    assert_eq!(leased(&store, hook.id, 10).await.len(), 0);
    let rows = store.deliveries(hook.id, Page::all()).await.unwrap();
    assert_eq!(
        (rows.len(), rows[0].problem.as_deref()),
        (1, Some("the webhook is off"))
    );
    let on = store
        .change_webhook(
            hook.id,
            Some(&[HookEvent::BookingMade]),
            Some(true),
            &act(at(11)),
        )
        .await
        .unwrap();
    assert_eq!(
        (on.disabled, on.events),
        (None, vec![HookEvent::BookingMade])
    );
    book(12).await;
    assert_eq!(leased(&store, hook.id, 13).await.len(), 1);
    store
        .change_webhook(hook.id, None, Some(false), &act(at(14)))
        .await
        .unwrap();
    book(15).await;
    assert_eq!(leased(&store, hook.id, 1_000).await.len(), 0);
    store.remove_webhook(hook.id, &act(at(16))).await.unwrap();
    let again = store.remove_webhook(hook.id, &act(at(17))).await;
    assert!(
        matches!(again, Err(StoreError::NoSuchWebhook(_))),
        "{again:?}"
    );
    let audit = store.audit(&AuditPage::default()).await.unwrap();
    let kinds: Vec<_> = audit
        .iter()
        .map(|row| row.kind.as_str())
        .filter(|kind| kind.starts_with("webhook."))
        .collect();
    let expected = [
        "added", "disabled", "changed", "enabled", "disabled", "removed",
    ];
    assert_eq!(kinds, expected.map(|kind| format!("webhook.{kind}")));
    let added = audit
        .iter()
        .find(|row| row.kind == "webhook.added")
        .unwrap();
    assert_eq!(added.body["origin"], "https://example.org");
}

async fn webhooks_go_with_their_user_and_what_was_told_with_time(bed: Bed) {
    let store = bed.serve().await;
    let ada = store.add_account(bed.account("Ada"), at(0)).await.unwrap();
    let own = bed
        .hook(&store, ada.owner.email(), UserRole::Host, &HookEvent::ALL)
        .await;
    let all = bed
        .hook(
            &store,
            "admin@example.org",
            UserRole::Administrator,
            &HookEvent::ALL,
        )
        .await;
    let booking = bed.booking(ada.id, &[(600, 900)]);
    store.book(booking, &act(at(1))).await.unwrap();
    let delivery = &leased(&store, all.id, 2).await[0];
    store.delivered(delivery, at(2)).await.unwrap();
    let keep = Keep::default();
    let later = at(1) + LISTED_FOR;
    store
        .sweep(&keep, later - TimeDelta::seconds(1))
        .await
        .unwrap();
    assert_eq!(
        store.deliveries(all.id, Page::all()).await.unwrap().len(),
        1
    );
    store.sweep(&keep, later).await.unwrap();
    assert_eq!(store.deliveries(all.id, Page::all()).await.unwrap(), []);
    assert_eq!(
        store.deliveries(own.id, Page::all()).await.unwrap().len(),
        1,
        "what is to be told yet stays"
    );
    store
        .erase_person(ada.owner.email(), &act(later))
        .await
        .unwrap();
    let left = store.webhooks(None, Page::all()).await.unwrap();
    assert_eq!(left, [all]);
}
