//! One request of HTTP/1.1 on a connection of its own, encrypted or not.

use std::{convert::Infallible, error::Error, net::SocketAddr};

use hyper::{Request, StatusCode, body::Body, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

/// Sends it to that address and gives the answer's status; by TLS where there is a name to be certified.
pub(crate) async fn send<B>(
    to: SocketAddr,
    tls: Option<(&TlsConnector, &str)>,
    request: Request<B>,
) -> Result<StatusCode, String>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let stream = TcpStream::connect(to).await;
    let stream = stream.map_err(|error| format!("cannot connect: {error}"))?;
    let Some((tls, host)) = tls else {
        return exchange(stream, request).await;
    };
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let stream = tls.connect(name, stream).await;
    exchange(stream.map_err(|error| format!("TLS: {error}"))?, request).await
}

async fn exchange<S, B>(stream: S, request: Request<B>) -> Result<StatusCode, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let answer = async {
        let answer = sender.send_request(request).await;
        answer.map(|answer| answer.status())
    };
    // A connection that has closed has given its answer, or never will: either way the other half says so.
    let carried = async {
        drop(connection.await);
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        answer = answer => answer.map_err(|error| error.to_string()),
        never = carried => match never {},
    }
}
