//! The text that Prometheus reads (exposition format 0.0.4), written from integers.
//!
//! WHY by hand: the official client writes OpenMetrics and keeps counters and histograms of its own,
//! in floats. What is shown here is counted elsewhere already, in integers, and is only to be spelled.

use std::fmt::{Display, Write as _};

use encours_engine::{BUCKETS_US, Timing};

/// What the answer is declared as.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a metric is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// It only grows while the process runs.
    Counter,
    /// It goes up and down.
    Gauge,
    Histogram,
}

/// The labels of a sample. Names and values are ours: nothing in them needs to be escaped.
pub(crate) type Labels<'a> = &'a [(&'a str, &'a str)];

/// A page as it grows.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Each metric with its lines, which stand together however often it is begun.
    metrics: Vec<(String, String)>,
    /// The metric begun last.
    at: usize,
    /// The log that samples are about, where there are several.
    log: Option<String>,
}

/// Microseconds as seconds, without a float: `0.0001`, `2.5`, `10`.
pub(crate) struct Seconds(pub(crate) u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if micros == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{micros:06}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl Page {
    /// Has the samples that follow say which log they are about, or that they are about none.
    pub(crate) fn about(&mut self, log: Option<&str>) {
        self.log = log.map(str::to_owned);
    }

    /// Begins a metric, or goes on with it; its samples follow.
    pub(crate) fn metric(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        if let Some(at) = self.metrics.iter().position(|(known, _)| known == name) {
            self.at = at;
            return;
        }
        self.at = self.metrics.len();
        self.metrics.push((name.to_owned(), String::new()));
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    /// One value of the metric begun last.
    pub(crate) fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        let log = self.log.clone();
        let labels = Shown(log.as_deref(), labels, None);
        self.line(format_args!("{name}{labels} {value}"));
    }

    /// A metric of one value.
    pub(crate) fn single(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.metric(name, kind, help);
        self.sample(name, &[], value);
    }

    /// One histogram of the metric begun last.
    pub(crate) fn histogram(&mut self, name: &str, labels: Labels<'_>, timing: &Timing) {
        let log = self.log.clone();
        let log = log.as_deref();
        let mut count = 0;
        for (bound, inside) in BUCKETS_US.iter().zip(&timing.buckets) {
            count += inside;
            let labels = Shown(log, labels, Some(Seconds(*bound).to_string()));
            self.line(format_args!("{name}_bucket{labels} {count}"));
        }
        // WHY not counted by itself: the count must be that of the last bucket, whatever is counted
        // while this is written.
        let count = timing.count();
        let all = Shown(log, labels, Some("+Inf".to_owned()));
        self.line(format_args!("{name}_bucket{all} {count}"));
        let labels = Shown(log, labels, None);
        self.line(format_args!("{name}_sum{labels} {}", Seconds(timing.sum_us)));
        self.line(format_args!("{name}_count{labels} {count}"));
    }

    pub(crate) fn into_text(self) -> String {
        self.metrics.into_iter().map(|(_, lines)| lines).collect()
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        if let Some((_, lines)) = self.metrics.get_mut(self.at) {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{line}");
        }
    }
}

/// Labels in braces, with the log and the bound of a bucket; nothing where there are none.
struct Shown<'a>(Option<&'a str>, Labels<'a>, Option<String>);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let log = self.0.map(|log| ("log", log));
        let bound = self.2.as_deref().map(|bound| ("le", bound));
        let mut before = "{";
        for (name, value) in log.into_iter().chain(self.1.iter().copied()).chain(bound) {
            write!(f, "{before}{name}=\"{value}\"")?;
            before = ",";
        }
        if before == "," { f.write_str("}") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_spelled_exactly() {
        let spelled = [(0, "0"), (1, "0.000001"), (100, "0.0001"), (2_500_000, "2.5")];
        for (us, text) in spelled {
            assert_eq!(Seconds(us).to_string(), text);
        }
        assert_eq!(Seconds(10_000_000).to_string(), "10");
        assert_eq!(Seconds(u64::MAX).to_string(), "18446744073709.551615");
    }

    #[test]
    fn samples_of_several_logs_stand_together() {
        let mut page = Page::default();
        for log in ["a", "b"] {
            page.about(Some(log));
            page.single("x", Kind::Gauge, "How many.", 1);
            page.metric("y", Kind::Counter, "How often.");
            page.sample("y", &[("kind", "z")], 2);
        }
        page.about(None);
        page.single("w", Kind::Gauge, "How far.", 3);
        let wanted = "# HELP x How many.\n# TYPE x gauge\nx{log=\"a\"} 1\nx{log=\"b\"} 1\n\
                      # HELP y How often.\n# TYPE y counter\n\
                      y{log=\"a\",kind=\"z\"} 2\ny{log=\"b\",kind=\"z\"} 2\n\
                      # HELP w How far.\n# TYPE w gauge\nw 3\n";
        assert_eq!(page.into_text(), wanted);
    }

    #[test]
    fn buckets_add_up() {
        let mut timing = Timing { sum_us: 12_000_150, ..Timing::default() };
        timing.buckets[0] = 2;
        timing.buckets[1] = 1;
        timing.buckets[BUCKETS_US.len()] = 1;
        let mut page = Page::default();
        page.metric("x", Kind::Histogram, "How long.");
        page.histogram("x", &[("outcome", "accepted")], &timing);
        page.single("y", Kind::Gauge, "How many.", 3);
        let text = page.into_text();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[..2], ["# HELP x How long.", "# TYPE x histogram"]);
        assert_eq!(lines[2], "x_bucket{outcome=\"accepted\",le=\"0.0001\"} 2");
        assert_eq!(lines[3], "x_bucket{outcome=\"accepted\",le=\"0.00025\"} 3");
        let last = 2 + BUCKETS_US.len();
        assert_eq!(lines[last - 1], "x_bucket{outcome=\"accepted\",le=\"10\"} 3");
        assert_eq!(lines[last], "x_bucket{outcome=\"accepted\",le=\"+Inf\"} 4");
        assert_eq!(lines[last + 1], "x_sum{outcome=\"accepted\"} 12.00015");
        assert_eq!(lines[last + 2], "x_count{outcome=\"accepted\"} 4");
        assert_eq!(lines[last + 3..], ["# HELP y How many.", "# TYPE y gauge", "y 3"]);
    }
}
