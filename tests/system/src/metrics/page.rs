//! A scraped page: series with their labels and values, read without any code of ours.

use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const DEADLINE: Duration = Duration::from_secs(20);

/// A GET by hand: the status and the body.
pub async fn get(address: &str, path: &str) -> Result<(u16, String)> {
    let read = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        anyhow::Ok(answer)
    };
    let answer = tokio::time::timeout(DEADLINE, read).await.context("no answer")??;
    let (head, body) = answer.split_once("\r\n\r\n").context("no body")?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    Ok((status, body.to_owned()))
}

/// Samples of one or more brokers.
#[derive(Debug, Default)]
pub struct Page {
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

impl Page {
    /// Scrapes these brokers.
    pub async fn scrape(addresses: &[String]) -> Result<Page> {
        let mut page = Page::default();
        for address in addresses {
            let (status, body) = get(address, "/metrics").await?;
            ensure!(status == 200, "/metrics of {address} says {status}");
            page.read(&body)?;
        }
        Ok(page)
    }

    fn read(&mut self, text: &str) -> Result<()> {
        let mut typed = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').context("a type line")?;
                ensure!(typed.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} is typed twice");
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').with_context(|| format!("no value: {line}"))?;
                let (name, labels) = parse(series)?;
                ensure!(typed.contains_key(&name), "{name} has no type");
                self.samples.push((name, labels, value.parse()?));
            }
        }
        Ok(())
    }

    /// Whether some sample is what a selector wants: `name` or `name{label,other="value"}`.
    pub fn has(&self, selector: &str) -> bool {
        self.find(selector).next().is_some()
    }

    /// The sum of the samples that a selector wants.
    pub fn sum(&self, selector: &str) -> f64 {
        self.find(selector).sum()
    }

    fn find<'a>(&'a self, selector: &'a str) -> impl Iterator<Item = f64> + 'a {
        let (name, rest) = selector.split_once('{').unwrap_or((selector, "}"));
        let wanted: Vec<(&str, Option<&str>)> = rest
            .trim_end_matches('}')
            .split(',')
            .filter(|label| !label.is_empty())
            .map(|label| match label.split_once('=') {
                Some((label, value)) => (label, Some(value.trim_matches('"'))),
                None => (label, None),
            })
            .collect();
        let matches = move |labels: &BTreeMap<String, String>| {
            wanted.iter().all(|(label, value)| match (labels.get(*label), value) {
                (Some(found), Some(value)) => found == value,
                (found, None) => found.is_some(),
                (None, Some(_)) => false,
            })
        };
        self.samples
            .iter()
            .filter(move |(found, labels, _)| found == name && matches(labels))
            .map(|(_, _, value)| *value)
    }
}

/// `name{label="value",...}`; no value in our tests holds a quote or a comma.
fn parse(series: &str) -> Result<(String, BTreeMap<String, String>)> {
    let Some((name, rest)) = series.split_once('{') else { return Ok((series.to_owned(), BTreeMap::new())) };
    let rest = rest.strip_suffix('}').with_context(|| format!("open braces: {series}"))?;
    let mut labels = BTreeMap::new();
    for pair in rest.split(',') {
        match pair.split_once('=') {
            Some((label, value)) => labels.insert(label.to_owned(), value.trim_matches('"').to_owned()),
            None => bail!("no value of a label: {series}"),
        };
    }
    Ok((name.to_owned(), labels))
}
