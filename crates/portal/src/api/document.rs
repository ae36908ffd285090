//! The document of the API (OpenAPI 3.1), made from the table of entrances and the shapes, and a page to read it on.

use std::sync::LazyLock;

use askama::Template;
use axum::Extension;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use utoipa::OpenApi;
use utoipa::openapi::path::{
    Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{
    ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type,
};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, HttpMethod, OpenApi as Document, PathItem, Ref, RefOr, Required,
    Response as Answer, ResponseBuilder,
};

use super::live::{
    Happening, LiveCaller, LiveConference, LiveDeed, LiveDetails, LiveEvent, LiveFloor, LiveMute,
    LiveOrder, LivePlace, LiveQuality, LiveReception, LiveStage,
};
use super::problem::{ApiProblem, FieldProblem};
use super::shapes::{
    Account, AccountWish, Announce, AuditEntry, Booking, BookingState, BookingWish, Conference,
    ConferenceDetails, Delivery, DrawnPin, Event, Hint, HookEvent, HostGone, Import, Imported,
    Invitation, Invitee, Link, NewAccount, NewBooking, NewToken, NewUser, NewWebhook, Participant,
    Person, PinRole, PinWish, Policies, State, Terms, TermsWish, Token, Usage, User, UserRole,
    UserWish, Webhook, WebhookWish,
};
use crate::guard::Visitor;
use crate::look::{self, Frame};
use crate::routes::{Access, ENTRANCES, Entrance};

/// What every path begins with.
pub(crate) const BASE: &str = "/api/v1/";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Conclave",
        description = "Accounts, bookings, conferences as they go on and as they were, reports and users of a conference bridge. A token acts in the name of its user, narrowed by its scopes. Lists are read part by part: `next` of one is `cursor` of the following. A creation with an Idempotency-Key is done once within a day: the same request again is told what was made, without the PINs that are shown once."
    ),
    components(schemas(
        Account,
        AccountWish,
        Announce,
        ApiProblem,
        AuditEntry,
        Booking,
        BookingState,
        BookingWish,
        Conference,
        ConferenceDetails,
        Delivery,
        DrawnPin,
        Event,
        FieldProblem,
        Happening,
        Hint,
        HookEvent,
        HostGone,
        Import,
        Imported,
        Invitation,
        Invitee,
        Link,
        LiveCaller,
        LiveConference,
        LiveDeed,
        LiveDetails,
        LiveEvent,
        LiveFloor,
        LiveMute,
        LiveOrder,
        LivePlace,
        LiveQuality,
        LiveReception,
        LiveStage,
        NewAccount,
        NewBooking,
        NewToken,
        NewUser,
        NewWebhook,
        Participant,
        Person,
        PinRole,
        PinWish,
        Policies,
        State,
        Terms,
        TermsWish,
        Token,
        Usage,
        User,
        UserRole,
        UserWish,
        Webhook,
        WebhookWish
    ))
)]
struct Shapes;

/// What is sent to an entrance, and what comes back.
struct Wire {
    query: &'static [(&'static str, &'static str)],
    takes: Option<&'static str>,
    gives: Gives,
}

enum Gives {
    One(&'static str),
    List(&'static str),
    /// What was made, or what there is already.
    Made(&'static str),
    /// Server-sent events with that data.
    Stream(&'static str),
    Nothing,
}

const LIST: [(&str, &str); 2] = [
    ("cursor", "`next` of the part before."),
    ("limit", "How many at most, 1 to 200; 50 where absent."),
];
const PERIOD: [(&str, &str); 2] = [
    ("from", "The first moment, RFC 3339."),
    ("to", "The first moment after, RFC 3339."),
];
const ACCOUNT: (&str, &str) = ("account", "Of this account alone; a Host names one.");

/// What the table of entrances doesn't say.
fn wire(method: &str, path: &str) -> Option<Wire> {
    use Gives::{List, Made, Nothing, One, Stream};
    const ACCOUNTS: &[(&str, &str)] = &[
        LIST[0],
        LIST[1],
        ("find", "A number, an address, or part of a name."),
    ];
    const BOOKINGS: &[(&str, &str)] = &[
        LIST[0],
        LIST[1],
        ACCOUNT,
        ("all", "`true`: those that are over or cancelled, too."),
    ];
    const CONFERENCES: &[(&str, &str)] = &[LIST[0], LIST[1], ACCOUNT, PERIOD[0], PERIOD[1]];
    const AUDIT: &[(&str, &str)] = &[LIST[0], LIST[1], PERIOD[0], PERIOD[1]];
    const INVITEE: &[(&str, &str)] = &[("invitee", "Whose, where each has a PIN of their own.")];
    let (query, takes, gives): (&'static [_], _, _) = match (method, path.strip_prefix(BASE)?) {
        ("GET", "accounts") => (ACCOUNTS, None, List("Account")),
        ("POST", "accounts") => (&[], Some("NewAccount"), Made("Account")),
        ("GET", "accounts/{id}") => (&[], None, One("Account")),
        ("PATCH", "accounts/{id}") => (&[], Some("AccountWish"), One("Account")),
        ("POST", "accounts/{id}/pins") => (&[], Some("PinWish"), One("DrawnPin")),
        ("GET", "bookings") => (BOOKINGS, None, List("Booking")),
        ("POST", "bookings") => (&[], Some("NewBooking"), Made("Booking")),
        ("GET", "bookings/{id}") => (&[], None, One("Booking")),
        ("PATCH", "bookings/{id}") => (&[], Some("BookingWish"), One("Booking")),
        ("DELETE", "bookings/{id}") => (&[], None, Nothing),
        ("POST", "bookings/{id}/invitees") => (&[], Some("Person"), One("Booking")),
        ("DELETE", "bookings/{id}/invitees/{invitee}") => (&[], None, Nothing),
        ("GET", "bookings/{id}/invitation") => (INVITEE, None, One("Invitation")),
        ("GET", "conferences") => (CONFERENCES, None, List("Conference")),
        ("GET", "conferences/{id}") => (&[], None, One("ConferenceDetails")),
        ("GET", "live") => (&LIST, None, List("LiveConference")),
        ("GET", "live/{id}") => (&[], None, One("LiveDetails")),
        ("POST", "live/{id}/orders") => (&[], Some("LiveOrder"), Nothing),
        ("GET", "live/{id}/events") => (&[], None, Stream("LiveEvent")),
        ("GET", "events") => (&[], None, Stream("LiveEvent")),
        ("GET", "reports/usage") => (&PERIOD, None, List("Usage")),
        ("GET", "audit") => (AUDIT, None, List("AuditEntry")),
        ("GET", "users") => (&LIST, None, List("User")),
        ("POST", "users") => (&[], Some("NewUser"), Made("User")),
        ("PATCH", "users/{id}") => (&[], Some("UserWish"), One("User")),
        ("POST", "users/{id}/link") => (&[], None, One("Link")),
        ("POST", "accounts/further") => (&[], None, Made("Account")),
        ("POST", "accounts/import") => (&[], Some("Import"), Made("Imported")),
        ("GET", "reports/hints") => (&PERIOD, None, List("Hint")),
        ("GET", "policies") => (&[], None, One("Policies")),
        ("DELETE", "policies/consent") => (&[], None, Nothing),
        ("GET", "tokens") => (&LIST, None, List("Token")),
        ("POST", "tokens") => (&[], Some("NewToken"), Made("Token")),
        ("DELETE", "tokens/{id}") => (&[], None, Nothing),
        ("POST", "users/{id}/sign-out") => (&[], None, Nothing),
        ("GET", "webhooks") => (&LIST, None, List("Webhook")),
        ("POST", "webhooks") => (&[], Some("NewWebhook"), Made("Webhook")),
        ("GET", "webhooks/{id}") => (&[], None, One("Webhook")),
        ("PATCH", "webhooks/{id}") => (&[], Some("WebhookWish"), One("Webhook")),
        ("DELETE", "webhooks/{id}") => (&[], None, Nothing),
        ("GET", "webhooks/{id}/deliveries") => (&LIST, None, List("Delivery")),
        _ => return None,
    };
    Some(Wire {
        query,
        takes,
        gives,
    })
}

static DOCUMENT: LazyLock<Document> = LazyLock::new(build);
static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_json().unwrap_or_default());

fn build() -> Document {
    let mut document = Shapes::openapi();
    if let Some(components) = &mut document.components {
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.description = Some(
            "A token of the portal's page “API tokens”, or of `conclave-bridge token add`."
                .to_owned(),
        );
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
    }
    for entrance in ENTRANCES {
        let Access::Token(scope, _) = entrance.access else {
            continue;
        };
        let Some(wire) = wire(entrance.method, entrance.path) else {
            continue;
        };
        let method = match entrance.method {
            "POST" => HttpMethod::Post,
            "PATCH" => HttpMethod::Patch,
            "DELETE" => HttpMethod::Delete,
            _ => HttpMethod::Get,
        };
        let operation = operation(entrance, &wire, scope.word());
        let item = PathItem::new(method, operation);
        match document.paths.paths.get_mut(entrance.path) {
            Some(known) => known.merge_operations(item),
            None => drop(document.paths.paths.insert(entrance.path.to_owned(), item)),
        }
    }
    document
}

fn operation(entrance: &Entrance, wire: &Wire, scope: &str) -> Operation {
    let mut operation = OperationBuilder::new()
        .summary(Some(entrance.what))
        .operation_id(Some(operation_id(entrance)))
        .description(Some(format!("Scope `{scope}`.")))
        .security(SecurityRequirement::new("token", [scope]));
    for name in entrance
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{'))
    {
        let number = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .build();
        let name = name.trim_end_matches('}');
        operation = operation.parameter(parameter(name, ParameterIn::Path, "Its number.", number));
    }
    for (name, what) in wire.query {
        let schema = query_schema(name);
        operation = operation.parameter(parameter(name, ParameterIn::Query, what, schema));
    }
    if let Some(shape) = wire.takes {
        let body = RequestBodyBuilder::new()
            .required(Some(Required::True))
            .content(
                "application/json",
                ContentBuilder::new().schema(Some(known(shape))).build(),
            );
        operation = operation.request_body(Some(body.build()));
    }
    operation = match wire.gives {
        Gives::One(shape) => operation.response("200", json("What there is now.", known(shape))),
        Gives::List(shape) => operation.response("200", json("A part of the list.", list(shape))),
        Gives::Nothing => operation.response("204", Answer::new("Done.")),
        Gives::Stream(shape) => operation.response("200", stream(shape)),
        Gives::Made(shape) => {
            let key = ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(255));
            let what = "Of the caller's choice, another for each request.";
            operation
                .parameter(parameter(
                    "Idempotency-Key",
                    ParameterIn::Header,
                    what,
                    key.build(),
                ))
                .response("201", json("It is made.", known(shape)))
                .response(
                    "200",
                    json(
                        "It was made before, by the same request under the same key.",
                        known(shape),
                    ),
                )
        }
    };
    for (status, what) in [
        ("401", "No token, or none that is good."),
        ("403", "The role or the token may not do that."),
        (
            "404",
            "There is no such thing, or it is not the user's to see.",
        ),
        ("409", "That can't be done as things are."),
        ("413", "That is too much."),
        ("422", "What was sent is not right; `fields` says where."),
        ("503", "Not right now."),
    ] {
        let content = ContentBuilder::new()
            .schema(Some(known("ApiProblem")))
            .build();
        let answer = ResponseBuilder::new()
            .description(what)
            .content("application/problem+json", content);
        operation = operation.response(status, answer.build());
    }
    operation.build()
}

/// What may stand behind that name in a query.
fn query_schema(name: &str) -> Schema {
    let kind = |kind| ObjectBuilder::new().schema_type(kind);
    let schema = match name {
        "limit" => kind(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(200))
            .build(),
        "account" | "invitee" => kind(Type::Integer).minimum(Some(1)).build(),
        "cursor" => kind(Type::String).pattern(Some("^[0-9]{0,9}$")).build(),
        "all" => kind(Type::Boolean).build(),
        "from" | "to" => kind(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .build(),
        _ => kind(Type::String).build(),
    };
    schema.into()
}

/// `getAccountsById`, `postBookingsByIdInvitees`.
fn operation_id(entrance: &Entrance) -> String {
    let mut id = entrance.method.to_lowercase();
    let path = entrance.path.strip_prefix(BASE).unwrap_or_default();
    for part in path.split('/') {
        let (by, word) = match part.strip_prefix('{') {
            Some(word) => ("By", word.trim_end_matches('}')),
            None => ("", part),
        };
        let (first, rest) = word.split_at(word.len().min(1));
        id.push_str(by);
        id.push_str(&first.to_uppercase());
        id.push_str(rest);
    }
    id
}

fn parameter(name: &str, place: ParameterIn, what: &str, schema: impl Into<Schema>) -> Parameter {
    let required = match place {
        ParameterIn::Path => Required::True,
        _ => Required::False,
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(Some(what))
        .schema(Some(RefOr::T(schema.into())))
        .build()
}

fn known(shape: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(shape))
}

fn list(shape: &str) -> RefOr<Schema> {
    let items = ArrayBuilder::new().items(known(shape)).build();
    let next = ObjectBuilder::new().schema_type(Type::String).build();
    let list = ObjectBuilder::new()
        .property("items", items)
        .required("items")
        .property("next", next)
        .build();
    RefOr::T(list.into())
}

fn stream(shape: &str) -> Answer {
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    let content = ContentBuilder::new().schema(Some(RefOr::T(text.into())));
    ResponseBuilder::new()
        .description(format!(
            "Server-sent events, each with a {shape} as its data. The first say how it stands. A stream ends after 100 seconds, and with its token: come back, and it begins with how it stands then."
        ))
        .content("text/event-stream", content.build())
        .build()
}

fn json(what: &str, schema: RefOr<Schema>) -> Answer {
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description(what)
        .content("application/json", content)
        .build()
}

pub(crate) async fn document() -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, TEXT.as_str()).into_response()
}

#[derive(Template)]
#[template(path = "api.html")]
struct Page {
    frame: Frame,
    about: String,
    operations: Vec<Described>,
    shapes: Vec<(String, String)>,
}

struct Described {
    method: &'static str,
    path: &'static str,
    what: &'static str,
    scope: &'static str,
    roles: String,
    query: &'static [(&'static str, &'static str)],
    takes: Option<&'static str>,
    gives: &'static str,
}

pub(crate) async fn page(Extension(visitor): Extension<Visitor>) -> Response {
    let operations = ENTRANCES.iter().filter_map(|entrance| {
        let Access::Token(scope, roles) = entrance.access else {
            return None;
        };
        let wire = wire(entrance.method, entrance.path)?;
        let roles: Vec<_> = roles.iter().map(ToString::to_string).collect();
        Some(Described {
            method: entrance.method,
            path: entrance.path,
            what: entrance.what,
            scope: scope.word(),
            roles: roles.join(", "),
            query: wire.query,
            takes: wire.takes,
            gives: match wire.gives {
                Gives::One(shape)
                | Gives::List(shape)
                | Gives::Made(shape)
                | Gives::Stream(shape) => shape,
                Gives::Nothing => "",
            },
        })
    });
    let text: Value = serde_json::from_str(&TEXT).unwrap_or_default();
    let shapes = text["components"]["schemas"].as_object();
    let shapes = shapes.into_iter().flatten().map(|(name, schema)| {
        let text = serde_json::to_string_pretty(schema).unwrap_or_default();
        (name.clone(), text)
    });
    let shown = Page {
        frame: Frame::new(&visitor, "/api/v1"),
        about: DOCUMENT.info.description.clone().unwrap_or_default(),
        operations: operations.collect(),
        shapes: shapes.collect(),
    };
    look::page(StatusCode::OK, &shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entrance_of_the_api_is_described_and_every_shape_is_there() {
        let text: Value = serde_json::from_str(&TEXT).unwrap();
        assert!(
            text["openapi"].as_str().unwrap().starts_with("3.1"),
            "{}",
            text["openapi"]
        );
        for entrance in ENTRANCES {
            if let Access::Token(..) = entrance.access {
                let method = entrance.method.to_lowercase();
                assert!(entrance.path.starts_with(BASE));
                let described = &text["paths"][entrance.path][&method]["responses"];
                assert!(described.is_object(), "{method} {}", entrance.path);
            }
        }
        let shapes = text["components"]["schemas"].as_object().unwrap();
        let mut rest = TEXT.as_str();
        while let Some((_, after)) = rest.split_once("#/components/schemas/") {
            let name = after.split('"').next().unwrap();
            assert!(shapes.contains_key(name), "{name}");
            rest = after;
        }
    }
}
