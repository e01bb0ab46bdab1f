//! As much of an HTTP client as asking the API takes: one blocking connection, JSON bodies.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::demo::{Demo, Tenant};

/// A connection to the API, with a token once [`Http::log_in`] was called.
#[derive(Debug)]
pub struct Http {
    address: String,
    stream: BufReader<TcpStream>,
    token: Option<String>,
    last: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its JSON; `Null` when it has no body, or one that is no JSON.
    pub body: Value,
}

/// What a request carries.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// Nothing.
    None,
    /// A form.
    Form(&'a str),
    /// JSON.
    Json(&'a str),
    /// Fields and one file, as a browser sends them (RFC 7578).
    Upload(&'a Upload<'a>),
}

/// A file with what belongs to it.
#[derive(Debug, Clone, Copy)]
pub struct Upload<'a> {
    /// Fields and their values.
    pub fields: &'a [(&'a str, &'a str)],
    /// Name of the file.
    pub filename: &'a str,
    /// Its bytes; the field is called `file`.
    pub bytes: &'a [u8],
}

impl Upload<'_> {
    /// Between two parts; no file of ours has this in it.
    const BOUNDARY: &'static str = "loadgen-c7a1f0e2b95d";

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let part = format!("--{}\r\nContent-Disposition: form-data; name=", Self::BOUNDARY);
        for (name, value) in self.fields {
            body.extend_from_slice(format!("{part}\"{name}\"\r\n\r\n{value}\r\n").as_bytes());
        }
        let head = format!("{part}\"file\"; filename=\"{}\"\r\n", self.filename);
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(b"Content-Type: application/octet-stream\r\n\r\n");
        body.extend_from_slice(self.bytes);
        body.extend_from_slice(format!("\r\n--{}--\r\n", Self::BOUNDARY).as_bytes());
        body
    }
}

/// No answer of the API takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

impl Http {
    /// Connects to the server of `demo`.
    pub fn connect(demo: &Demo) -> Result<Http> {
        let address = demo.http.strip_prefix("http://").context("not a plain HTTP address")?;
        let address = address.trim_end_matches('/').to_owned();
        let stream = TcpStream::connect(&address).context("cannot connect to the API")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Http { address, stream: BufReader::new(stream), token: None, last: Vec::new() })
    }

    /// Takes a token with the credentials of the tenant's application.
    pub fn log_in(&mut self, tenant: &Tenant) -> Result<()> {
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            tenant.application.id, tenant.application.secret
        );
        let answer = self.ask("POST", "/oauth/token", Body::Form(&form))?;
        let token = answer.body.get("access_token").and_then(Value::as_str);
        self.token = Some(token.with_context(|| format!("no token: {answer:?}"))?.to_owned());
        Ok(())
    }

    /// `GET /api/ver1.0` and `path`.
    pub fn get(&mut self, path: &str) -> Result<Answer> {
        self.ask("GET", &format!("/api/ver1.0{path}"), Body::None)
    }

    /// The figures of the switch itself: of each metric the sum over its labels.
    pub fn metrics(&mut self) -> Result<BTreeMap<String, f64>> {
        let status = self.exchange("GET", "/metrics", Body::None)?;
        if status != 200 {
            bail!("/metrics is answered with {status}");
        }
        let mut metrics = BTreeMap::new();
        for line in String::from_utf8_lossy(&self.last).lines().filter(|l| !l.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            let name = name.split('{').next().unwrap_or(name).to_owned();
            *metrics.entry(name).or_default() += value.parse::<f64>().context("a figure")?;
        }
        Ok(metrics)
    }

    /// `DELETE /api/ver1.0` and `path`.
    pub fn delete(&mut self, path: &str) -> Result<Answer> {
        self.ask("DELETE", &format!("/api/ver1.0{path}"), Body::None)
    }

    /// `PUT /api/ver1.0` and `path`.
    pub fn put(&mut self, path: &str, body: &Value) -> Result<Answer> {
        self.ask("PUT", &format!("/api/ver1.0{path}"), Body::Json(&body.to_string()))
    }

    /// `POST /api/ver1.0` and `path`.
    pub fn post(&mut self, path: &str, body: &Value) -> Result<Answer> {
        self.ask("POST", &format!("/api/ver1.0{path}"), Body::Json(&body.to_string()))
    }

    /// `POST /api/ver1.0` and `path` with a file.
    pub fn upload(&mut self, path: &str, upload: &Upload<'_>) -> Result<Answer> {
        self.ask("POST", &format!("/api/ver1.0{path}"), Body::Upload(upload))
    }

    /// Sends one request, reads the answer.
    pub fn ask(&mut self, method: &str, path: &str, body: Body<'_>) -> Result<Answer> {
        let status = self.exchange(method, path, body)?;
        Ok(Answer { status, body: serde_json::from_slice(&self.last).unwrap_or(Value::Null) })
    }

    /// `GET /api/ver1.0` and `path`, timed from the request's first byte to the answer's last;
    /// what the answer says is left to [`Http::last`].
    pub fn time(&mut self, path: &str) -> Result<(u16, Duration)> {
        self.timed("GET", path, Body::None)
    }

    /// `PUT /api/ver1.0` and `path`, timed in the same way.
    pub fn time_put(&mut self, path: &str, body: &Value) -> Result<(u16, Duration)> {
        self.timed("PUT", path, Body::Json(&body.to_string()))
    }

    fn timed(&mut self, method: &str, path: &str, body: Body<'_>) -> Result<(u16, Duration)> {
        let begin = Instant::now();
        let status = self.exchange(method, &format!("/api/ver1.0{path}"), body)?;
        Ok((status, begin.elapsed()))
    }

    /// The body of the last answer.
    pub fn last(&self) -> &[u8] {
        &self.last
    }

    fn exchange(&mut self, method: &str, path: &str, body: Body<'_>) -> Result<u16> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        if let Some(token) = &self.token {
            request.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        let multipart = format!("multipart/form-data; boundary={}", Upload::BOUNDARY);
        let (kind, bytes) = match body {
            Body::None => ("text/plain", Vec::new()),
            Body::Form(text) => ("application/x-www-form-urlencoded", text.into()),
            Body::Json(text) => ("application/json", text.into()),
            Body::Upload(upload) => (multipart.as_str(), upload.body()),
        };
        request.push_str(&format!("Content-Type: {kind}\r\n"));
        request.push_str(&format!("Content-Length: {}\r\n\r\n", bytes.len()));
        let mut whole = request.into_bytes();
        whole.extend_from_slice(&bytes);
        self.stream.get_mut().write_all(&whole)?;
        let (status, body) = self.answer().with_context(|| format!("{method} {path}"))?;
        self.last = body;
        Ok(status)
    }

    fn answer(&mut self) -> Result<(u16, Vec<u8>)> {
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.context("no status line")?;
        let mut length = 0;
        let mut chunked = false;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().context("Content-Length")?;
            }
            chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
        }
        let body = if chunked { self.chunks()? } else { self.bytes(length)? };
        Ok((status, body))
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.line()?;
            let size = size.split(';').next().unwrap_or("");
            let size = usize::from_str_radix(size.trim(), 16).context("size of a chunk")?;
            body.extend(self.bytes(size)?);
            self.line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).context("the body")?;
        Ok(body)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            bail!("the server closed the connection");
        }
        Ok(line.trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// Answers one request with `bytes`.
    fn answered(bytes: &'static str) -> Answer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(bytes.as_bytes()).unwrap();
        });
        let stream = BufReader::new(TcpStream::connect(&address).unwrap());
        let answer = Http { address, stream, token: None, last: Vec::new() }.get("/x").unwrap();
        server.join().unwrap();
        answer
    }

    #[test]
    fn bodies_with_a_length_in_chunks_and_none_are_read() {
        let one = serde_json::json!({"a": 1});
        let plain = answered("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{\"a\":1}");
        assert_eq!(plain, Answer { status: 200, body: one.clone() });
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                       3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n";
        assert_eq!(answered(chunked).body, one);
        assert_eq!(answered("HTTP/1.1 204 No Content\r\n\r\n").status, 204);
    }
}
