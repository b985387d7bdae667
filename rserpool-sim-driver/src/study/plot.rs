//! Charts as SVG and PNG: a line for each combination of what distinguishes lines, means with their 95 % intervals, and
//! printed values as squares.

use std::path::Path;
use std::sync::OnceLock;

use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use super::definition::{Chart, Study, short};
use super::outcome::{Outcome, mean};
use super::statistics::Mean;
use super::store::{StudyError, replace};

/// The size of a chart, in pixels.
const SIZE: (u32, u32) = (800, 500);

/// Colours that are told apart by all eyes (Okabe and Ito).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(128, 128, 128),
];

/// A line of a chart.
struct Line {
    label: String,
    points: Vec<(f64, Mean)>,
}

/// Draws a chart into a directory, as SVG and as PNG.
pub(super) fn draw(
    study: &Study,
    outcome: &Outcome,
    chart: &Chart,
    directory: &Path,
) -> Result<(), StudyError> {
    // The font is part of the program.
    static FONT: OnceLock<bool> = OnceLock::new();
    FONT.get_or_init(|| register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular()).is_ok());
    let lines = lines(study, outcome, chart);
    let mut svg = String::new();
    paint(&SVGBackend::with_string(&mut svg, SIZE).into_drawing_area(), chart, &lines)
        .map_err(|error| problem(chart, &error))?;
    replace(&directory.join(format!("{}.svg", chart.file)), svg.as_bytes())?;
    let mut pixels = vec![0; SIZE.0 as usize * SIZE.1 as usize * 3];
    paint(&BitMapBackend::with_buffer(&mut pixels, SIZE).into_drawing_area(), chart, &lines)
        .map_err(|error| problem(chart, &error))?;
    replace(&directory.join(format!("{}.png", chart.file)), &png(&pixels, chart)?)
}

fn problem(chart: &Chart, error: &dyn std::error::Error) -> StudyError {
    StudyError::File(format!("the chart {} cannot be drawn: {error}", chart.file))
}

/// The pixels as a PNG file.
fn png(pixels: &[u8], chart: &Chart) -> Result<Vec<u8>, StudyError> {
    let mut content = Vec::new();
    let mut encoder = png::Encoder::new(&mut content, SIZE.0, SIZE.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(pixels));
    written.map_err(|error| problem(chart, &error))?;
    Ok(content)
}

fn lines(study: &Study, outcome: &Outcome, chart: &Chart) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (point, runs) in outcome.points(study).filter(|(point, _)| point.figure == chart.figure) {
        let Some(x) = point.swept.get(&chart.x).and_then(serde_json::Value::as_f64) else { continue };
        let label = point.label(chart);
        let value = (x, mean(runs, &chart.y));
        match lines.iter_mut().find(|line| line.label == label) {
            Some(line) => line.points.push(value),
            None => lines.push(Line { label, points: vec![value] }),
        }
    }
    for line in &mut lines {
        line.points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    lines
}

/// What an axis runs from and to: a little more than its values.
fn span(values: impl Iterator<Item = f64>, from_zero: bool) -> (f64, f64) {
    let (least, most) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
    if !least.is_finite() {
        return (0.0, 1.0);
    }
    let room = ((most - least) * 0.03).max(most.abs() * 0.01).max(1e-9);
    if from_zero { (0.0, (most * 1.08).max(1e-9)) } else { (least - room, most + room) }
}

fn paint<B: DrawingBackend>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    chart: &Chart,
    lines: &[Line],
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    area.fill(&WHITE)?;
    let printed = || chart.printed.iter().flat_map(|(_, values)| values.iter().copied());
    let xs =
        || lines.iter().flat_map(|line| line.points.iter().map(|(x, _)| *x)).chain(printed().map(|(x, _)| x));
    let top = |(_, mean): &(f64, Mean)| mean.mean + mean.ci95.unwrap_or_default();
    let ys = lines.iter().flat_map(|line| line.points.iter().map(top)).chain(printed().map(|(_, y)| y));
    let (bottom, most) = span(ys, true);
    let (left, right) = span(xs(), false);
    let mut builder = ChartBuilder::on(area);
    builder.caption(&chart.title, ("sans-serif", 22)).margin(12).x_label_area_size(44).y_label_area_size(72);
    if chart.log_x && xs().all(|x| x > 0.0) {
        let (least, most_x) = xs().fold((f64::INFINITY, 0.0_f64), |(a, b), x| (a.min(x), b.max(x)));
        let range = (least / 1.1..most_x * 1.1).log_scale();
        let context = builder.build_cartesian_2d(range, bottom..most)?;
        let place = |x: f64| (x / least).ln() / (most_x / least).ln().max(1e-9);
        series(context, chart, lines, emptiest_corner(lines, place, most))
    } else {
        let context = builder.build_cartesian_2d(left..right, bottom..most)?;
        let place = |x: f64| (x - left) / (right - left);
        series(context, chart, lines, emptiest_corner(lines, place, most))
    }
}

fn series<'a, B, X>(
    mut context: ChartContext<'a, B, Cartesian2d<X, plotters::coord::types::RangedCoordf64>>,
    chart: &Chart,
    lines: &[Line],
    legend: SeriesLabelPosition,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>>
where
    B: DrawingBackend + 'a,
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    context
        .configure_mesh()
        .x_desc(chart.x.replace('_', " "))
        .y_desc(chart.y.replace('_', " "))
        .label_style(("sans-serif", 14))
        .axis_desc_style(("sans-serif", 16))
        .light_line_style(WHITE)
        .x_label_formatter(&|x| short(rounded(*x)))
        .y_label_formatter(&|y| short(rounded(*y)))
        .draw()?;
    for (n, line) in lines.iter().enumerate() {
        let colour = COLOURS[n % COLOURS.len()];
        let means = line.points.iter().map(|(x, mean)| (*x, mean.mean));
        context
            .draw_series(LineSeries::new(means.clone(), colour.stroke_width(2)))?
            .label(line.label.clone())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        context.draw_series(means.map(|at| Circle::new(at, 3, colour.filled())))?;
        context.draw_series(line.points.iter().filter_map(|(x, mean)| {
            let half = mean.ci95?;
            Some(ErrorBar::new_vertical(
                *x,
                mean.mean - half,
                mean.mean,
                mean.mean + half,
                colour.stroke_width(1),
                7,
            ))
        }))?;
        if let Some((_, values)) = chart.printed.iter().find(|(label, _)| *label == line.label) {
            context
                .draw_series(values.iter().map(|at| {
                    EmptyElement::at(*at) + Rectangle::new([(-5, -5), (5, 5)], colour.stroke_width(1))
                }))?
                .label(format!("{}, printed", line.label))
                .legend(move |(x, y)| {
                    Rectangle::new([(x + 4, y - 5), (x + 14, y + 5)], colour.stroke_width(1))
                });
        }
    }
    context
        .configure_series_labels()
        .position(legend)
        .background_style(WHITE.mix(0.8))
        .border_style(RGBColor(200, 200, 200))
        .label_font(("sans-serif", 14))
        .draw()?;
    context.plotting_area().present()
}

/// The corner in which a legend hides least. `place` says where a value is on the horizontal axis, from 0 to 1.
fn emptiest_corner(lines: &[Line], place: impl Fn(f64) -> f64, most: f64) -> SeriesLabelPosition {
    let corners = [
        (SeriesLabelPosition::UpperLeft, false, true),
        (SeriesLabelPosition::UpperRight, true, true),
        (SeriesLabelPosition::LowerRight, true, false),
        (SeriesLabelPosition::LowerLeft, false, false),
    ];
    let hidden = |right: bool, upper: bool| {
        let points = lines.iter().flat_map(|line| &line.points);
        let inside = |(x, mean): &&(f64, Mean)| {
            let (x, y) = (place(*x), mean.mean / most);
            let near_side = if right { x > 0.65 } else { x < 0.35 };
            near_side && if upper { y > 0.6 } else { y < 0.4 }
        };
        points.filter(inside).count()
    };
    let best = corners.into_iter().min_by_key(|(_, right, upper)| hidden(*right, *upper));
    best.map_or(SeriesLabelPosition::UpperLeft, |(position, ..)| position)
}

/// A number of an axis without what its computation has added.
fn rounded(number: f64) -> f64 {
    (number * 1e9).round() / 1e9
}
