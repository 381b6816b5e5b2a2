//! SOCKS5 (RFC 1928) with username and password (RFC 1929); the proxy resolves the name.

use super::{Login, Proxy};
use crate::link::dial::Transport;
use crate::link::dial::error::{DialError, Endpoint};
use secrecy::ExposeSecret;
use std::io;
use std::net::IpAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zeroize::Zeroizing;

const VERSION: u8 = 5;
const WITHOUT_LOGIN: u8 = 0;
const WITH_PASSWORD: u8 = 2;
const NOTHING_FITS: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Asks for the way to `target`.
pub(super) async fn open(
    mut line: Transport,
    proxy: &Proxy,
    target: &Endpoint,
) -> Result<Transport, DialError> {
    agree_on_login(&mut line, proxy).await?;
    line.write_all(&request(proxy, target)?).await.map_err(|error| broken(proxy, &error))?;
    let [version, reply, _, kind] = read(&mut line, proxy).await?;
    if version != VERSION {
        return Err(proxy.unfit("its answer is no SOCKS5"));
    }
    if reply != 0 {
        let (reason, forbidden) = reason_of(reply);
        return Err(DialError::ProxyRefused {
            at: proxy.at.clone(),
            target: target.clone(),
            reason: reason.to_owned(),
            forbidden,
        });
    }
    skip_address(&mut line, proxy, kind).await?;
    Ok(line)
}

async fn agree_on_login(line: &mut Transport, proxy: &Proxy) -> Result<(), DialError> {
    let offer: &[u8] = match proxy.login {
        Some(_) => &[VERSION, 2, WITHOUT_LOGIN, WITH_PASSWORD],
        None => &[VERSION, 1, WITHOUT_LOGIN],
    };
    line.write_all(offer).await.map_err(|error| broken(proxy, &error))?;
    match (read(line, proxy).await?, &proxy.login) {
        ([VERSION, WITHOUT_LOGIN], _) => Ok(()),
        ([VERSION, WITH_PASSWORD], Some(login)) => log_in(line, proxy, login).await,
        ([VERSION, NOTHING_FITS], _) => Err(login_refused(proxy)),
        _ => Err(proxy.unfit("its answer is no SOCKS5")),
    }
}

async fn log_in(line: &mut Transport, proxy: &Proxy, login: &Login) -> Result<(), DialError> {
    let mut message = Zeroizing::new(vec![1]);
    for text in [login.username.as_str(), login.password.expose_secret()] {
        let bytes = u8::try_from(text.len())
            .map_err(|_| proxy.unfit("SOCKS5 takes no username or password longer than 255 bytes"))?;
        message.push(bytes);
        message.extend_from_slice(text.as_bytes());
    }
    line.write_all(&message).await.map_err(|error| broken(proxy, &error))?;
    let [_, refused] = read(line, proxy).await?;
    if refused == 0 { Ok(()) } else { Err(login_refused(proxy)) }
}

fn request(proxy: &Proxy, target: &Endpoint) -> Result<Vec<u8>, DialError> {
    let mut message = vec![VERSION, CONNECT, 0];
    match target.host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            message.push(IPV4);
            message.extend_from_slice(&ip.octets());
        }
        Ok(IpAddr::V6(ip)) => {
            message.push(IPV6);
            message.extend_from_slice(&ip.octets());
        }
        Err(_) => {
            let bytes = u8::try_from(target.host.len())
                .map_err(|_| proxy.unfit("SOCKS5 takes no name longer than 255 bytes"))?;
            message.extend_from_slice(&[NAME, bytes]);
            message.extend_from_slice(target.host.as_bytes());
        }
    }
    message.extend_from_slice(&target.port.to_be_bytes());
    Ok(message)
}

/// The address that the proxy uses from now on is of no interest, but it must be read.
async fn skip_address(line: &mut Transport, proxy: &Proxy, kind: u8) -> Result<(), DialError> {
    let bytes = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(read::<1>(line, proxy).await?[0]),
        _ => return Err(proxy.unfit("its answer is no SOCKS5")),
    };
    let mut rest = vec![0; bytes + 2];
    line.read_exact(&mut rest).await.map_err(|error| broken(proxy, &error))?;
    Ok(())
}

async fn read<const N: usize>(line: &mut Transport, proxy: &Proxy) -> Result<[u8; N], DialError> {
    let mut bytes = [0; N];
    line.read_exact(&mut bytes).await.map_err(|error| broken(proxy, &error))?;
    Ok(bytes)
}

fn broken(proxy: &Proxy, error: &io::Error) -> DialError {
    proxy.unfit(&format!("the connection broke: {error}"))
}

fn login_refused(proxy: &Proxy) -> DialError {
    DialError::ProxyLogin {
        at: proxy.at.clone(),
        given: proxy.login.is_some(),
        schemes: "username and password".to_owned(),
    }
}

/// The words of a reply, and whether the proxy forbids rather than fails.
fn reason_of(reply: u8) -> (&'static str, bool) {
    match reply {
        2 => ("its rules do not allow it", true),
        3 => ("the network is unreachable from there", false),
        4 => ("the host is unreachable from there", false),
        5 => ("the host refuses the connection", false),
        6 => ("the connection timed out there", false),
        7 => ("it does not connect for others", true),
        8 => ("it does not know this kind of address", false),
        _ => ("it failed", false),
    }
}
