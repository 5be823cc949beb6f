//! The page that Prometheus reads: families in the order in which they were begun, written by the `prometheus` crate.

use std::collections::HashMap;

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};

use crate::histogram::Quantiles;

/// A label with its value.
pub type Label<'a> = (&'static str, &'a str);

/// Collects series for one scrape.
#[derive(Default)]
pub struct Exposition {
    families: Vec<MetricFamily>,
    by_name: HashMap<String, usize>,
}

impl Exposition {
    /// An empty page.
    pub fn new() -> Exposition {
        Exposition::default()
    }

    /// A value that only grows.
    pub fn counter(&mut self, name: &str, help: &str, labels: &[Label<'_>], value: u64) {
        let mut counter = Counter::default();
        counter.set_value(value as f64);
        let mut metric = labelled(labels);
        metric.set_counter(counter);
        self.push(name, help, MetricType::COUNTER, metric);
    }

    /// A value at this moment.
    pub fn gauge(&mut self, name: &str, help: &str, labels: &[Label<'_>], value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = labelled(labels);
        metric.set_gauge(gauge);
        self.push(name, help, MetricType::GAUGE, metric);
    }

    /// A distribution, as the exporter's rules tell it: `<name>{quantile=...}` and `<name>_count`. Values are divided by
    /// `unit` (1000 for microseconds told in milliseconds).
    pub fn summary(
        &mut self,
        name: &str,
        help: &str,
        labels: &[Label<'_>],
        quantiles: &Quantiles,
        unit: f64,
    ) {
        self.counter(&format!("{name}_count"), help, labels, quantiles.count);
        for ((_, rank), value) in Quantiles::RANKS.iter().zip(quantiles.values) {
            let mut with_rank = labels.to_vec();
            with_rank.push(("quantile", rank));
            self.gauge(name, help, &with_rank, value / unit);
        }
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.families.iter().map(|family| family.get_metric().len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.families.is_empty()
    }

    /// The page in Prometheus' text format.
    pub fn render(&self) -> String {
        let mut page = Vec::new();
        match TextEncoder::new().encode(&self.families, &mut page) {
            Ok(()) => String::from_utf8_lossy(&page).into_owned(),
            // Only families without a name or series cannot be written, and none is begun without.
            Err(error) => format!("# {error}\n"),
        }
    }

    fn push(&mut self, name: &str, help: &str, metric_type: MetricType, metric: Metric) {
        let index = match self.by_name.get(name) {
            Some(index) => *index,
            None => {
                let mut family = MetricFamily::default();
                family.set_name(name.to_owned());
                family.set_help(help.to_owned());
                family.set_field_type(metric_type);
                self.families.push(family);
                self.by_name.insert(name.to_owned(), self.families.len() - 1);
                self.families.len() - 1
            }
        };
        self.families[index].mut_metric().push(metric);
    }
}

fn labelled(labels: &[Label<'_>]) -> Metric {
    let pair = |(name, value): &Label<'_>| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    Metric::from_label(labels.iter().map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page() {
        let mut page = Exposition::new();
        page.counter("a_total", "How many a.", &[], 3);
        page.counter("a_total", "How many a.", &[("topic", "t\"1")], 2);
        page.gauge("b", "What b is.", &[("x", "1"), ("y", "2")], 0.5);
        let quantiles = Quantiles { count: 9, values: [1000.0, 2000.0, 3000.0, 4000.0, 5000.0, 6000.0] };
        page.summary("c", "How long c took.", &[], &quantiles, 1000.0);
        let expected = "\
# HELP a_total How many a.\n# TYPE a_total counter\na_total 3\na_total{topic=\"t\\\"1\"} 2\n\
# HELP b What b is.\n# TYPE b gauge\nb{x=\"1\",y=\"2\"} 0.5\n\
# HELP c_count How long c took.\n# TYPE c_count counter\nc_count 9\n\
# HELP c How long c took.\n# TYPE c gauge\nc{quantile=\"0.50\"} 1\nc{quantile=\"0.75\"} 2\nc{quantile=\"0.95\"} 3\n\
c{quantile=\"0.98\"} 4\nc{quantile=\"0.99\"} 5\nc{quantile=\"0.999\"} 6\n";
        assert_eq!(page.render(), expected);
        assert_eq!(page.len(), 10);
    }
}
