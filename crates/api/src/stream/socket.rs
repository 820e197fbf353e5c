//! The same events as messages of a WebSocket (RFC 6455): `{"event": …, "id": …, "data": …}`.

use axum::extract::FromRequestParts as _;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use control::Error;
use domain::Code;
use domain::live::LiveEnd;
use http::{Request, header};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, timeout};

use super::{Frame, HEARTBEAT, PATIENCE, Sent};
use crate::auth::{self, Credential};
use crate::call::Call;

/// The most bytes of a client's message; clients have nothing to say.
const MESSAGE_BYTES_MAX: usize = 4096;
/// The most bytes of the reason of a close frame (RFC 6455, 5.5).
const REASON_BYTES_MAX: usize = 123;

/// The handshake of a client that wants a WebSocket; `None` if it wants none.
pub(super) async fn asked(call: &Call) -> Result<Option<WebSocketUpgrade>, Error> {
    let upgrade = call.header(header::UPGRADE).unwrap_or_default();
    if !upgrade
        .split(',')
        .any(|name| name.trim().eq_ignore_ascii_case("websocket"))
    {
        return Ok(None);
    }
    // Browsers send cookies along with the handshakes of any page, and let it read what comes.
    if matches!(call.credential, Credential::Cookie(_)) {
        auth::from_our_pages(&call.app, &call.headers)?;
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.headers.clone_from(&call.headers);
    parts.extensions = call.extensions.clone();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    let upgrade = upgrade.map_err(|error| Error::refused(Code::RequestInvalid, format!("{error}.")))?;
    Ok(Some(upgrade.max_message_size(MESSAGE_BYTES_MAX)))
}

/// Sends frames until the last, or until the client is gone.
pub(super) async fn send(mut socket: WebSocket, mut frames: mpsc::Receiver<Frame>) {
    let mut beats = interval(HEARTBEAT);
    // Its first tick is now, which would put a sign of life before the first event.
    beats.reset();
    let mut heard_at = Instant::now();
    loop {
        let message = tokio::select! {
            frame = frames.recv() => match frame {
                None => return close(socket, close_code::AWAY, "It was read too slowly.").await,
                Some(Frame::Event(sent)) => text(&sent),
                Some(Frame::End(end)) => {
                    let (code, reason) = (close_code(&end), reason(&end));
                    return close(socket, code, &reason).await;
                }
            },
            heard = socket.recv() => match heard {
                None | Some(Err(_) | Ok(Message::Close(_))) => return,
                Some(Ok(_)) => {
                    heard_at = Instant::now();
                    continue;
                }
            },
            _ = beats.tick() => {
                if heard_at.elapsed() > HEARTBEAT * 3 {
                    return;
                }
                Message::Ping(Default::default())
            }
        };
        if !matches!(timeout(PATIENCE, socket.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
}

fn text(sent: &Sent) -> Message {
    let name = sent.name;
    let data = &sent.data;
    // `data` is JSON already; names and ids are words of ours.
    let text = match &sent.id {
        Some(id) => format!(r#"{{"event":"{name}","id":"{id}","data":{data}}}"#),
        None => format!(r#"{{"event":"{name}","data":{data}}}"#),
    };
    Message::Text(text.into())
}

/// What the end of a stream is in a close frame: try again, or not as you are.
fn close_code(end: &LiveEnd) -> u16 {
    let code = Code::ALL.iter().find(|code| code.as_str() == end.code);
    match code.map(|code| code.status()) {
        Some(500..) | None => close_code::AGAIN,
        Some(_) => close_code::POLICY,
    }
}

fn reason(end: &LiveEnd) -> String {
    let mut reason = format!("{}: {}", end.code, end.detail);
    reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
    reason
}

async fn close(mut socket: WebSocket, code: u16, reason: &str) {
    let frame = CloseFrame {
        code,
        reason: Utf8Bytes::from(reason),
    };
    // A client that is gone needs no goodbye.
    let _ = timeout(HEARTBEAT, socket.send(Message::Close(Some(frame)))).await;
    // The client's own close frame, so that ours is not lost with the connection.
    let _ = timeout(HEARTBEAT, async {
        while let Some(Ok(_)) = socket.recv().await {}
    })
    .await;
}
