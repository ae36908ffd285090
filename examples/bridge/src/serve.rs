//! `conclave-bridge serve`: starts the parts, says what to do next, stops in good order.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use conclave_accounts::{AccountId, Odds};
use conclave_attendant::{Attendant, Rules};
use conclave_conference::Prompt;
use conclave_desk::Desk;
use conclave_engine::{self as engine, Engine, EngineConfig};
use conclave_portal::{Portal, live::Live, oidc};
use conclave_sip::{
    Dialling, EndpointSecret, EndpointUser, Endpoints, IpNetwork, Listener, SessionTimers,
    SipConfig, SipServer, Strangers, Trunk,
};
use conclave_store::{Books, Page, Porter, Recorder, SqlStore, Store};
use rand::{SeedableRng, rngs::StdRng};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_rustls::rustls::ClientConfig;
use tracing::{info, warn};

use crate::{
    access::AccessNumbers,
    cli,
    clock::Clock,
    config::{self, Config, Listen, Transport, UnknownSource},
    data::Data,
    housekeeping, log,
    mail::Postman,
    output::{Failure, print},
    prompts,
    recording::{Recordings, Shelf},
    shell::{Parts, Shell, prompt_clip},
    spans,
    telemetry::Telemetry,
    tls,
    webhook::Teller,
};

/// Facts that wait for the shell before their senders have to.
const QUEUE: usize = 4096;

pub(crate) async fn run(arguments: cli::Serve) -> Result<(), Failure> {
    let config = Config::load(arguments.config.as_deref())?;
    let telemetry = Telemetry::start(&config).map_err(Failure::usage)?;
    log::start(telemetry.as_ref());
    let served = serve(arguments, config).await;
    if let Some(telemetry) = telemetry {
        telemetry.finish().await;
    }
    served
}

async fn serve(arguments: cli::Serve, mut config: Config) -> Result<(), Failure> {
    let same_place = same_place(&arguments);
    if let Some(address) = arguments.sip {
        config.sip.listen = Listen::both(address);
    }
    if arguments.http.is_some() {
        config.http.listen = arguments.http;
    }
    if let Some(ports) = &arguments.rtp_ports {
        config.media.rtp_ports = [*ports.start(), *ports.end()];
    }
    if arguments.prompts.is_some() {
        config.prompts.directory = arguments.prompts;
    }
    // From the first moment on: who stops a bridge that is just starting wants it stopped in good order too.
    let stop = stop_signals()?;
    let clock = Clock::start();
    let access = AccessNumbers::new(&config.access_numbers).map_err(Failure::usage)?;
    let sip_config = sip_config(&config).map_err(Failure::usage)?;
    let site = config.http.site().map_err(Failure::usage)?;
    let tls = tls::client();
    let provider = provider(&config, &tls)?;
    let prompts = prompts::load(config.prompts.directory.as_deref())?;

    let data = Data::serve(&arguments.data.data, &config).await?;
    let desk = Arc::new(data.desk(&config));
    let policy = config.pins.policy();
    policy
        .check(&desk.doors_by_policy().await?)
        .map_err(|error| Failure::usage(error.to_string()))?;
    let odds_of_all = Odds::of(&policy, &desk.doors().await?);
    if !odds_of_all.is_bearable() {
        warn!(
            "PINs taken in with --force-weak-pin are easy to guess: the odds that a day of guessing opens a door are {odds_of_all}"
        );
    }
    let shelf = Shelf::of(&config, &arguments.data.data);
    shelf.mend(&data.store, clock.now()).await?;
    let recorder = Recorder::start(data.store.clone(), data.store.begin_run(clock.now()).await?);
    for number in &config.access_numbers {
        if let Some(id) = number.account
            && data.store.account(AccountId(id)).await?.is_none()
        {
            warn!(
                "access number {} is bound to account {id}, which is not there: no PIN opens anything on it",
                number.number
            );
        }
    }
    let accounts = data.store.totals().await?.accounts;
    let random = Box::new(StdRng::from_rng(&mut rand::rng()));
    let porter = Porter::open(data.store.clone(), policy, random, clock.now()).await?;
    let mut beside = JoinSet::new();
    beside.spawn(housekeeping::run(
        data.store.clone(),
        config.keep.spans(),
        shelf.clone(),
        clock.clone(),
    ));
    let networks = config.webhooks.networks().map_err(Failure::usage)?;
    let teller = Teller::new(Arc::clone(&desk), networks, clock.clone(), tls);
    beside.spawn(teller.run());
    if let Some(mail) = config.mail.clone() {
        let postman = Postman {
            desk: Arc::clone(&desk),
            mail,
            clock: clock.clone(),
        };
        beside.spawn(postman.run());
    }

    let (engine, media) = Engine::start(EngineConfig {
        shards: config.media.threads,
        shared_sockets: config.media.shared_sockets,
        niceness: config.media.niceness,
        rtp_ports: config.media.ports(),
        max_legs: config.limits.calls,
        ..EngineConfig::default()
    })
    .map_err(|error| Failure::machine(error.to_string()))?;
    for (prompt, sound) in prompts {
        if prompt == Prompt::HoldMusic {
            engine.set_music(sound);
        } else {
            engine.add_clip(prompt_clip(prompt), sound);
        }
    }
    let (stop_portal, portal_stops) = oneshot::channel::<()>();
    let mut portal = None;
    let (live, requests) = Live::channel();
    if let Some(listen) = config.http.listen {
        let (listener, made) = open_portal(listen, site, Arc::clone(&desk), &clock).await?;
        let demanded = config.http.second_factor().map_err(Failure::usage)?;
        let mut made = made.with_live(live).demanding_second_factors(demanded);
        if let Some(provider) = provider {
            beside.spawn(ask(Arc::clone(&provider), clock.clone()));
            made = made.with_provider(provider);
        }
        let stopped = async { drop(portal_stops.await) };
        let mut router = made.router();
        if config.telemetry.endpoint.is_some() {
            router = router.layer(axum::middleware::from_fn(spans::request));
        }
        portal = Some(tokio::spawn(conclave_portal::serve(
            listener, router, stopped,
        )));
    }
    let (sip, sip_events) = SipServer::start(sip_config)
        .await
        .map_err(|error| Failure::machine(error.to_string()))?;

    let listening: Vec<_> = config
        .sip
        .listen
        .iter()
        .map(|listen| format!("{} {}", transport(listen.transport), listen.address))
        .collect();
    info!(odds = %odds_of_all, accounts, "started");
    print(&format!(
        "conclave-bridge is ready: SIP on {}; data in {}",
        listening.join(", "),
        arguments.data.data.display()
    ))?;
    next_steps(accounts, &arguments.data.data, &config)?;
    portal_steps(&same_place, &data.store, &config).await?;

    let (recordings, recorded) = Recordings::new(shelf, config.recordings.clone());
    let parts = Parts {
        attendant: Attendant::new(Rules::default(), clock.now()),
        porter: Arc::new(porter),
        sip,
        engine,
        store: data.store,
        keys: data.keyring,
        recorder,
        access,
        trunks: config
            .trunks
            .iter()
            .map(|trunk| trunk.name.clone())
            .collect(),
        clock,
        longest_pin: usize::from(config.pins.host_digits.max(config.pins.guest_digits)),
        opus: config.media.opus.settings(),
        recordings,
        recorded,
    };
    Shell::run(
        parts,
        sip_events,
        forward(media),
        requests,
        stop,
        config.limits.drain(),
    )
    .await;
    drop(stop_portal);
    if let Some(portal) = portal {
        portal.await.map_err(Failure::machine)?;
    }
    info!("stopped");
    Ok(())
}

/// The portal, and the port that it will listen on: it is open before anybody is told of it.
async fn open_portal(
    listen: SocketAddr,
    site: conclave_portal::Site,
    desk: Arc<Desk>,
    clock: &Clock,
) -> Result<(TcpListener, Portal), Failure> {
    let listener = TcpListener::bind(listen).await;
    let listener = listener.map_err(|error| {
        Failure::machine(format!("cannot listen for HTTP on {listen}: {error}"))
    })?;
    let (clock, random) = (clock.clone(), StdRng::from_rng(&mut rand::rng()));
    let portal = Portal::new(desk, site, Box::new(move || clock.now()), Box::new(random));
    Ok((listener, portal.map_err(Failure::machine)?))
}

/// The OpenID provider at which people sign in, where there is one.
fn provider(
    config: &Config,
    tls: &Arc<ClientConfig>,
) -> Result<Option<Arc<oidc::Provider>>, Failure> {
    let Some(oidc) = &config.http.oidc else {
        return Ok(None);
    };
    let secret = oidc.secret().map_err(Failure::usage)?;
    let provider = oidc::Provider::new(oidc.settings(), secret, Arc::clone(tls));
    let provider = provider.map_err(|error| Failure::usage(format!("http.oidc.{error}")))?;
    Ok(Some(Arc::new(provider)))
}

/// A provider that doesn't answer keeps nobody from calling: it is asked again when somebody signs in.
async fn ask(provider: Arc<oidc::Provider>, clock: Clock) {
    let clock: conclave_portal::Clock = Box::new(move || clock.now());
    if let Err(error) = provider.is_usable(&clock).await {
        warn!("nobody can sign in at the provider of http.oidc until it answers: {error}");
    }
}

/// Says where the portal is, and how its first user is made.
async fn portal_steps(same_place: &str, store: &SqlStore, config: &Config) -> Result<(), Failure> {
    let Some(listen) = config.http.listen else {
        return print("The web portal is off; --http 127.0.0.1:8080 turns it on.");
    };
    let site = config.http.site().map_err(Failure::usage)?;
    print(&format!("The web portal is at {}", site.url(listen, "/")))?;
    if store.users(Page::first(1)).await?.is_empty() {
        print("It has no users yet. This makes the first, and prints a link to set the password:")?;
        print(&format!(
            "  conclave-bridge user add you@example.org --role administrator{same_place}"
        ))?;
    }
    Ok(())
}

/// The options by which a command finds what this bridge serves.
fn same_place(arguments: &cli::Serve) -> String {
    let mut options = String::new();
    if arguments.data.data != Path::new("conclave-data") {
        options.push_str(&format!(" --data {}", arguments.data.data.display()));
    }
    if let Some(config) = &arguments.config {
        options.push_str(&format!(" --config {}", config.display()));
    }
    if let Some(http) = arguments.http {
        options.push_str(&format!(" --http {http}"));
    }
    options
}

fn next_steps(accounts: u64, data: &Path, config: &Config) -> Result<(), Failure> {
    let data = if data == Path::new("conclave-data") {
        String::new()
    } else {
        format!(" --data {}", data.display())
    };
    if accounts == 0 {
        print("There are no accounts yet. Make one for each person who holds conferences:")?;
        print(&format!(
            "  conclave-bridge account add --name \"Ada Byron\" --email ada@example.org{data}"
        ))?;
    }
    if let Some(listen) = config.sip.listen.first() {
        let here = if listen.address.ip().is_unspecified() {
            format!("<this machine's address>:{}", listen.address.port())
        } else {
            listen.address.to_string()
        };
        print(&format!(
            "Then call sip:conference@{here} and enter the PIN. Calls are taken from {}.",
            allowed(config)
        ))?;
    }
    print("Calls are not encrypted (no TLS, no SRTP yet).")
}

/// Whose calls are taken: an operator who listens on all addresses may think that this says it already.
fn allowed(config: &Config) -> String {
    if config.sip.listen.iter().any(|listen| listen.anyone) {
        return "anyone".into();
    }
    let trunks = config
        .trunks
        .iter()
        .map(|trunk| format!("{} ({})", trunk.name, trunk.from.join(", ")));
    let endpoints = config
        .endpoints
        .iter()
        .map(|endpoint| format!("endpoint {}", endpoint.user));
    let all: Vec<_> = trunks.chain(endpoints).collect();
    if all.is_empty() {
        return "nobody: the configuration names no trunk and no endpoint".into();
    }
    all.join(", ")
}

fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
    }
}

/// The engine's threads speak through a channel of their own kind; one thread carries that over.
fn forward(events: engine::EventReceiver) -> mpsc::Receiver<engine::Event> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    std::thread::spawn(move || {
        while let Ok(event) = events.recv() {
            if sender.blocking_send(event).is_err() {
                return;
            }
        }
    });
    receiver
}

/// SIGTERM and Ctrl-C: the first asks the bridge to stop, the second to hurry.
fn stop_signals() -> Result<mpsc::Receiver<()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error| Failure::machine(format!("cannot wait for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if sender.send(()).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// The same configuration in the words of the SIP library.
pub(crate) fn sip_config(config: &Config) -> Result<SipConfig, String> {
    let listeners = config.sip.listen.iter().map(|listen| {
        let listener = match listen.transport {
            Transport::Udp => Listener::udp(listen.address),
            Transport::Tcp => Listener::tcp(listen.address),
        };
        Listener {
            advertise: listen.advertise,
            anyone: listen.anyone.then(|| "anyone".to_owned()),
            ..listener
        }
    });
    let trunks = config.trunks.iter().map(|trunk| {
        let networks = trunk.from.iter().map(|network| {
            network
                .parse::<IpNetwork>()
                .map_err(|error| format!("trunk '{}': '{network}': {error}", trunk.name))
        });
        Ok(Trunk {
            name: trunk.name.clone(),
            networks: networks.collect::<Result<_, String>>()?,
            dialling: dialling(trunk.country.as_deref())
                .map_err(|error| format!("trunk '{}': {error}", trunk.name))?,
            trust_identity: trunk.asserted_identity,
        })
    });
    let users = config.endpoints.iter().map(|endpoint| {
        let secret = EndpointSecret::Password(endpoint.password.clone());
        (
            endpoint.user.clone(),
            EndpointUser {
                secret,
                dialling: None,
            },
        )
    });
    Ok(SipConfig {
        listeners: listeners.collect(),
        trunks: trunks.collect::<Result<_, String>>()?,
        endpoints: Endpoints {
            realm: Some(config.sip.realm.clone()),
            users: users.collect(),
        },
        strangers: match config.sip.unknown_source {
            UnknownSource::Refuse => Strangers::Forbidden,
            UnknownSource::Silent => Strangers::Silence,
        },
        codecs: config
            .media
            .codecs
            .iter()
            .map(|name| config::codec(name))
            .collect::<Result<_, _>>()?,
        opus: config.media.opus.wishes(),
        limits: conclave_sip::Limits {
            setups_per_second: config.limits.setups_per_second,
            pending_per_source: config.limits.pending,
            calls: config.limits.calls,
            ..conclave_sip::Limits::default()
        },
        timers: SessionTimers {
            expires: Duration::from_secs(u64::from(config.sip.session_expires)),
            ..SessionTimers::default()
        },
        ..SipConfig::default()
    })
}

fn dialling(country: Option<&str>) -> Result<Option<Dialling>, String> {
    let Some(country) = country else {
        return Ok(None);
    };
    Dialling::new(country)
        .map(Some)
        .map_err(|error| format!("country '{country}': {error}"))
}
