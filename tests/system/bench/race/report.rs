//! What the race came to: a table and a plot.

use anyhow::{Context as _, Result, bail};
use gregor_harness::BrokerKind;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What the ratio of Gregor's median to Kafka's should be.
#[derive(Clone, Copy, Debug)]
pub enum Figure {
    /// At most this.
    Less(f64),
    /// At least this.
    More(f64),
}

impl Figure {
    fn holds(self, ratio: f64) -> bool {
        match self {
            Figure::Less(bound) => ratio <= bound,
            Figure::More(bound) => ratio >= bound,
        }
    }

    /// How often better Gregor is.
    fn advantage(self, ratio: f64) -> f64 {
        match self {
            Figure::Less(_) => 1.0 / ratio,
            Figure::More(_) => ratio,
        }
    }
}

#[derive(Debug, Default)]
struct Row {
    name: String,
    unit: String,
    gregor: Vec<f64>,
    kafka: Vec<f64>,
    /// What the machine itself can do, where that was measured: then the ratio is to it.
    floor: Vec<f64>,
    bound: Option<Figure>,
    /// Measured by this run, not read from an earlier one's results.
    renewed: bool,
}

/// Whose figure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Brokers of this project.
    Gregor,
    /// Apache Kafka's.
    Kafka,
    /// A bare loop that does what no broker can do without.
    Floor,
}

impl From<BrokerKind> for Who {
    fn from(kind: BrokerKind) -> Who {
        match kind {
            BrokerKind::Gregor => Who::Gregor,
            BrokerKind::Kafka => Who::Kafka,
        }
    }
}

impl Row {
    fn of(&mut self, who: Who) -> &mut Vec<f64> {
        match who {
            Who::Gregor => &mut self.gregor,
            Who::Kafka => &mut self.kafka,
            Who::Floor => &mut self.floor,
        }
    }

    /// What Gregor's median is compared with.
    fn rival(&self) -> Result<f64> {
        median(if self.floor.is_empty() { &self.kafka } else { &self.floor })
    }

    fn ratio(&self) -> Result<f64> {
        Ok(median(&self.gregor)? / self.rival()?)
    }

    /// As a line of the file of measurements.
    fn line(&self) -> String {
        let figures =
            |of: &[f64]| of.iter().map(|figure| format!("{figure:.3}")).collect::<Vec<_>>().join(" ");
        let wanted = match self.bound {
            Some(Figure::Less(bound)) => format!("<={bound}"),
            Some(Figure::More(bound)) => format!(">={bound}"),
            None => String::new(),
        };
        let Row { name, unit, gregor, kafka, floor, .. } = self;
        let (gregor, kafka, floor) = (figures(gregor), figures(kafka), figures(floor));
        format!("{name}\t{unit}\t{wanted}\t{gregor}\t{kafka}\t{floor}\n")
    }

    /// Reads such a line.
    fn parse(line: &str) -> Result<Row> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, unit, wanted, gregor, kafka, floor] = fields[..] else { bail!("not six fields") };
        let figures = |text: &str| -> Result<Vec<f64>> {
            text.split_whitespace().map(|figure| Ok(figure.parse()?)).collect()
        };
        let bound = match (wanted.strip_prefix("<="), wanted.strip_prefix(">=")) {
            (Some(bound), _) => Some(Figure::Less(bound.parse()?)),
            (_, Some(bound)) => Some(Figure::More(bound.parse()?)),
            _ => None,
        };
        Ok(Row {
            name: name.to_owned(),
            unit: unit.to_owned(),
            gregor: figures(gregor)?,
            kafka: figures(kafka)?,
            floor: figures(floor)?,
            bound,
            renewed: false,
        })
    }
}

/// The rows, in the order in which they were first noted.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
}

const PLOT: &str = "results.svg";
const TABLE: &str = "RESULTS.md";
/// Every single measurement: what the table and the plot are made of.
const MEASUREMENTS: &str = "measurements.tsv";

impl Report {
    /// What earlier runs measured, if there was one.
    pub fn load() -> Result<Report> {
        let path = dir().join(MEASUREMENTS);
        let text = if path.exists() { fs::read_to_string(path)? } else { String::new() };
        let mut report = Report::default();
        for line in text.lines() {
            report.rows.push(Row::parse(line).with_context(|| format!("{MEASUREMENTS}: {line}"))?);
        }
        Ok(report)
    }

    /// Notes one measurement; the first of a row takes the place of what an earlier run measured.
    pub fn note(&mut self, name: &str, unit: &str, who: impl Into<Who>, value: f64) {
        let who = who.into();
        println!("{who:?}: {name}: {value:.1} {unit}");
        let fresh = Row { name: name.to_owned(), unit: unit.to_owned(), renewed: true, ..Row::default() };
        let at = self.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            self.rows.push(Row { renewed: false, ..Row::default() });
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        if !row.renewed {
            *row = fresh;
        }
        row.of(who).push(value);
    }

    /// What is wanted of a row.
    pub fn bound(&mut self, name: &str, bound: Figure) {
        self.rows.iter_mut().filter(|row| row.name == name).for_each(|row| row.bound = Some(bound));
    }

    /// Writes the measurements, the table and the plot beside the benchmark's source.
    pub fn write(&self) -> Result<()> {
        let lines: Vec<String> = self.rows.iter().map(Row::line).collect();
        fs::write(dir().join(MEASUREMENTS), lines.concat())?;
        fs::write(dir().join(TABLE), self.table()?)?;
        fs::write(dir().join(PLOT), self.plot()?)?;
        Ok(())
    }

    fn table(&self) -> Result<String> {
        let mut text = String::from("# Gregor and Apache Kafka 3.9, in turns on one machine\n\n");
        writeln!(text, "Written by `tests/bench race`. {}\n", machine()?)?;
        text.push_str(
            "Medians; the ratio is Gregor's to Kafka's, or to the machine's where a bare loop was measured. \
             Only ratios mean something.\n\n",
        );
        writeln!(text, "Every measurement is in [{MEASUREMENTS}]({MEASUREMENTS}).\n")?;
        writeln!(text, "![Gregor's advantage]({PLOT})\n")?;
        text.push_str("| case | unit | runs | Gregor | Kafka | machine | ratio | wanted | |\n");
        text.push_str("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n");
        for row in &self.rows {
            let shown =
                |figures: &[f64]| median(figures).map_or(String::new(), |figure| format!("{figure:.1}"));
            let ratio = row.ratio()?;
            let wanted = match row.bound {
                Some(Figure::Less(bound)) => format!("≤ {bound:.2}"),
                Some(Figure::More(bound)) => format!("≥ {bound:.2}"),
                None => String::new(),
            };
            let verdict = row.bound.map_or("", |bound| if bound.holds(ratio) { "yes" } else { "**no**" });
            writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {ratio:.2} | {wanted} | {verdict} |",
                row.name,
                row.unit,
                row.gregor.len(),
                shown(&row.gregor),
                shown(&row.kafka),
                shown(&row.floor)
            )?;
        }
        Ok(text)
    }

    /// A bar for each row: how often better Gregor is, on a logarithmic scale from 1/4 to 256.
    fn plot(&self) -> Result<String> {
        const ROW: f64 = 20.0;
        const LEFT: f64 = 520.0;
        const OCTAVE: f64 = 45.0;
        let rows: Vec<(&Row, Figure)> = self.rows.iter().filter_map(|row| Some((row, row.bound?))).collect();
        let height = ROW * (rows.len() as f64 + 2.0);
        let width = LEFT + 10.0 * OCTAVE + 60.0;
        let one = LEFT + 2.0 * OCTAVE;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <line x1=\"{one}\" x2=\"{one}\" y1=\"{ROW}\" y2=\"{height}\" stroke=\"black\"/>\n\
             <text x=\"{one}\" y=\"14\" text-anchor=\"middle\">as Kafka</text>\n"
        );
        for (number, (row, bound)) in rows.iter().enumerate() {
            let advantage = bound.advantage(row.ratio()?);
            let length = advantage.log2().clamp(-2.0, 8.0) * OCTAVE;
            let (x, y) = (one + length.min(0.0), ROW * (number as f64 + 1.2));
            let color = if length < 0.0 { "#c0392b" } else { "#2e7d5b" };
            writeln!(
                svg,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
                 <rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"14\" fill=\"{color}\"/>\
                 <text x=\"{}\" y=\"{}\">{advantage:.1}×</text>",
                LEFT - 8.0,
                y + 11.0,
                row.name.replace('<', "&lt;"),
                length.abs(),
                one + length.max(0.0) + 4.0,
                y + 11.0
            )?;
        }
        svg.push_str("</svg>\n");
        Ok(svg)
    }
}

fn median(figures: &[f64]) -> Result<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().context("a row without figures")
}

/// Where the results are kept.
fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bench")
}

/// The machine in a sentence.
fn machine() -> Result<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("\t: unknown");
    let model = model.trim_start_matches(['\t', ' ', ':']);
    let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kib: u64 = memory.split_whitespace().nth(1).context("no memory")?.parse()?;
    Ok(format!(
        "A virtual machine with {cores} cores ({model}) and {} GiB of memory; clients, brokers and ZooKeeper share it.",
        kib / 1024 / 1024
    ))
}
