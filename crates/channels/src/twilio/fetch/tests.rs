//! Fetching against sockets on the loopback interface: what is asked of whom, with which credentials.

use parlance_net::Policy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::testing::{account, account_with};
use super::*;

const FILE: &str = "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    (listener, origin)
}

fn status(status: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

fn redirect(code: u16, to: &str) -> String {
    format!("HTTP/1.1 {code} There\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

/// Answers one request after the other, and gives them back: the line, and the credentials if there are any.
async fn serve(listener: TcpListener, answers: Vec<String>) -> Vec<String> {
    let mut asked = Vec::new();
    for answer in answers {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let line = head.lines().next().unwrap();
        let credentials = head.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization: "));
        asked.push(credentials.map_or_else(|| line.to_owned(), |credentials| format!("{line} {credentials}")));
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
    asked
}

async fn fetched(base_url: Option<&str>, url: &str) -> Fetched {
    let account = account_with(|settings| settings.base_url = base_url.map(str::to_owned));
    fetch(&Client::new(Policy::default()).unwrap(), &account, url).await
}

/// How it ended, in a word, with the code.
async fn word(fetched: Fetched) -> String {
    match fetched {
        Fetched::Here(mut opened) => {
            let mut content = Vec::new();
            while let Some(chunk) = opened.chunk().await.unwrap() {
                content.extend_from_slice(&chunk);
            }
            format!("here {}", String::from_utf8(content).unwrap())
        }
        Fetched::Later { error } => format!("later {}", error.code),
        Fetched::Account { error } => format!("account {}", error.code),
        Fetched::Gone { error } => format!("gone {}", error.code),
    }
}

/// The credentials of the account in the tests, as they go over the wire.
fn credentials() -> String {
    let account = account();
    let made =
        Request::get(Url::parse("http://127.0.0.1/").unwrap()).basic_auth(&settings(&account).account_sid, &settings(&account).auth_token);
    made.headers["authorization"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn media_redirect_never_carries_credentials() {
    for code in [301, 302, 303, 307, 308] {
        let ((api, api_origin), (cdn, cdn_origin)) = (listener().await, listener().await);
        let url = format!("{api_origin}/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1");
        // Back to the API by way of a stranger: it gets no credentials either.
        let server = serve(api, vec![redirect(code, "/own/path"), redirect(code, &format!("{cdn_origin}/1")), FILE.to_owned()]);
        let stranger = serve(cdn, vec![redirect(code, &format!("{api_origin}/back"))]);
        let (outcome, asked, leaked) = tokio::join!(fetched(Some(&api_origin), &url), server, stranger);
        assert_eq!(word(outcome).await, "here hello");
        let own = |path: &str| format!("GET {path} HTTP/1.1 authorization: {}", credentials());
        assert_eq!(asked, [own("/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1"), own("/own/path"), "GET /back HTTP/1.1".to_owned()]);
        assert_eq!(leaked, ["GET /1 HTTP/1.1"]);
    }
}

#[tokio::test]
async fn credentials_in_an_address_go_nowhere() {
    let ((api, api_origin), (cdn, cdn_origin)) = (listener().await, listener().await);
    let named = cdn_origin.replace("http://", "http://user:password@");
    let servers = (serve(api, vec![redirect(307, &named)]), serve(cdn, vec![FILE.to_owned()]));
    let url = format!("{api_origin}/1");
    let (outcome, _, leaked) = tokio::join!(fetched(Some(&api_origin), &url), servers.0, servers.1);
    assert_eq!((word(outcome).await.as_str(), leaked), ("here hello", vec!["GET / HTTP/1.1".to_owned()]));
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused() {
    // Of Twilio itself nothing leads inside, and of an operator's own machine only its other ports.
    for to in [
        "http://10.0.0.1/1",
        "http://127.0.0.2/1",
        "http://localhost/1",
        "http://[::1]/1",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
    ] {
        let (api, origin) = listener().await;
        let url = format!("{origin}/1");
        let (outcome, _) = tokio::join!(fetched(Some(&origin), &url), serve(api, vec![redirect(307, to)]));
        assert_eq!(word(outcome).await, "gone outbound_blocked", "{to}");
    }
    assert_eq!(word(fetched(None, "http://127.0.0.1:1/1").await).await, "gone outbound_blocked");
    let twilio = account();
    let (api, inside) = (Url::parse("https://api.twilio.com/1").unwrap(), Url::parse("http://127.0.0.1/1").unwrap());
    assert_eq!(after(settings(&twilio), Trust::Api, &api, &inside), Trust::None);
}

#[test]
fn only_the_accounts_own_api_is_given_credentials() {
    let (twilio, proxied) = (account(), account_with(|settings| settings.base_url = Some("https://proxy.example.com/twilio".to_owned())));
    let of = |account: &Account, url: &str| is_api(settings(account), &Url::parse(url).unwrap());
    for url in ["https://api.twilio.com/2010-04-01/x", "https://media.twilio.com/x", "https://API.twilio.com:443/x"] {
        assert!(of(&twilio, url) && !of(&proxied, url), "{url}");
    }
    assert!(of(&proxied, "https://proxy.example.com/any") && !of(&twilio, "https://proxy.example.com/any"));
    for url in [
        "http://api.twilio.com/x",
        "https://api.twilio.com:8443/x",
        "https://twilio.com.example.com/x",
        "https://eviltwilio.com/x",
        "https://mms.twiliocdn.com/x",
        "https://api.twilio.com@example.com/x",
        "http://proxy.example.com/any",
    ] {
        assert!(!of(&twilio, url) && !of(&proxied, url), "{url}");
    }
    // Whoever it is that a redirect leads to, another host or port is a stranger.
    let from = Url::parse("https://api.twilio.com/x").unwrap();
    for (to, trust) in [
        ("https://api.twilio.com/y", Trust::Api),
        ("https://media.twilio.com/y", Trust::None),
        ("http://api.twilio.com/y", Trust::None),
        ("https://mms.twiliocdn.com/y", Trust::None),
    ] {
        assert_eq!(after(settings(&twilio), Trust::Api, &from, &Url::parse(to).unwrap()), trust, "{to}");
    }
}

#[tokio::test]
async fn what_an_answer_says_of_the_file() {
    for (answer, expected) in [
        (FILE.to_owned(), "here hello"),
        (status("404 Not Found"), "later not_there"),
        (status("429 Too Many"), "later not_fetched"),
        (status("500 Oh"), "later not_fetched"),
        (status("503 Busy"), "later not_fetched"),
        (String::new(), "later not_fetched"),
        (status("401 Who"), "account 20003"),
        (status("403 No"), "gone not_there"),
        (status("410 Gone"), "gone not_there"),
        (status("204 Empty"), "gone not_there"),
        (redirect(307, "http://["), "gone not_there"),
        (status("302 Nowhere"), "gone not_there"),
    ] {
        let (api, origin) = listener().await;
        let url = format!("{origin}/1");
        let (outcome, _) = tokio::join!(fetched(Some(&origin), &url), serve(api, vec![answer.clone()]));
        assert_eq!(word(outcome).await, expected, "{answer}");
    }
    let (api, origin) = listener().await;
    drop(api);
    assert_eq!(word(fetched(Some(&origin), &format!("{origin}/1")).await).await, "later not_fetched");
    assert_eq!(word(fetched(None, "no address").await).await, "gone not_there");
}

#[tokio::test]
async fn redirects_come_to_an_end() {
    let (api, origin) = listener().await;
    let url = format!("{origin}/1");
    let around = vec![redirect(307, "/1"); REDIRECTS + 1];
    let (outcome, asked) = tokio::join!(fetched(Some(&origin), &url), serve(api, around));
    assert_eq!((word(outcome).await.as_str(), asked.len()), ("gone not_there", REDIRECTS + 1));
}

#[tokio::test]
async fn a_strangers_refusal_says_nothing_of_the_account() {
    let ((api, api_origin), (cdn, cdn_origin)) = (listener().await, listener().await);
    let url = format!("{api_origin}/1");
    let (outcome, ..) =
        tokio::join!(fetched(Some(&api_origin), &url), serve(api, vec![redirect(307, &cdn_origin)]), serve(cdn, vec![status("401 Who")]));
    assert_eq!(word(outcome).await, "gone not_there");
}
