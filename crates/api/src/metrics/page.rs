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
    text: String,
}

/// Microseconds as seconds, without a float: `0.0001`, `2.5`, `10`.
struct Seconds(u64);

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
    /// Begins a metric; its samples follow.
    pub(crate) fn metric(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    /// One value of the metric begun last.
    pub(crate) fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        let labels = Shown(labels, None);
        self.line(format_args!("{name}{labels} {value}"));
    }

    /// A metric of one value.
    pub(crate) fn single(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.metric(name, kind, help);
        self.sample(name, &[], value);
    }

    /// One histogram of the metric begun last.
    pub(crate) fn histogram(&mut self, name: &str, labels: Labels<'_>, timing: &Timing) {
        let mut count = 0;
        for (bound, inside) in BUCKETS_US.iter().zip(&timing.buckets) {
            count += inside;
            let labels = Shown(labels, Some(Seconds(*bound).to_string()));
            self.line(format_args!("{name}_bucket{labels} {count}"));
        }
        // WHY not counted by itself: the count must be that of the last bucket, whatever is counted
        // while this is written.
        let count = timing.count();
        let all = Shown(labels, Some("+Inf".to_owned()));
        self.line(format_args!("{name}_bucket{all} {count}"));
        let labels = Shown(labels, None);
        self.line(format_args!("{name}_sum{labels} {}", Seconds(timing.sum_us)));
        self.line(format_args!("{name}_count{labels} {count}"));
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// Labels in braces, with the bound of a bucket; nothing where there are none.
struct Shown<'a>(Labels<'a>, Option<String>);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bound = self.1.as_deref().map(|bound| ("le", bound));
        let mut before = "{";
        for (name, value) in self.0.iter().copied().chain(bound) {
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
