package main

import (
	"bytes"
	"image/color"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// gray is readable on white and on black, and so are the lines' colours: the page may be shown in
// either.
var gray = color.RGBA{R: 0x80, G: 0x80, B: 0x80, A: 0xff}

// lines are how contenders are drawn.
var lines = []struct {
	name   string
	color  color.RGBA
	dashes []vg.Length
	width  vg.Length
}{
	{"naive", color.RGBA{R: 0xd9, G: 0x5f, B: 0x02, A: 0xff}, nil, 1.2},
	{"floor", gray, nil, 1.2},
	{"shared", gray, []vg.Length{4, 3}, 1.2},
	{"alone", color.RGBA{R: 0x2f, G: 0x86, B: 0xd6, A: 0xff}, []vg.Length{1, 2}, 1.2},
	{"engine", color.RGBA{R: 0x2f, G: 0x86, B: 0xd6, A: 0xff}, []vg.Length{4, 3}, 1.2},
	{"adapter", color.RGBA{R: 0x2f, G: 0x86, B: 0xd6, A: 0xff}, nil, 2.4},
}

// drawCurves draws two rows of plots: what a request takes of time, and of CPU, by the number of
// callers.
func drawCurves(file string, all []comparison) error {
	const width, height = 24 * vg.Centimeter, 15 * vg.Centimeter
	svg := vgsvg.New(width, height)
	quantities := []struct {
		name string
		of   func(figure) time.Duration
	}{
		{"µs", func(f figure) time.Duration { return f.time }},
		{"µs of CPU", func(f figure) time.Duration { return f.cpu }},
	}
	ops := []string{"first", "replay", "conflict"}
	plots := make([][]*plot.Plot, len(quantities))
	for i, q := range quantities {
		low, high := bounds(all, q.of)
		for _, op := range ops {
			p, err := panel(all, op, q.of)
			if err != nil {
				return err
			}
			p.Y.Min, p.Y.Max = low, high
			p.Title.Text = op + ": " + q.name
			p.X.Label.Text = "callers"
			if i == len(quantities)-1 && op == ops[0] {
				p.Legend.Left = true // at the bottom, where the curves don't begin
			} else {
				p.Legend = plot.NewLegend()
			}
			plots[i] = append(plots[i], p)
		}
	}
	tiles := draw.Tiles{Rows: len(quantities), Cols: len(ops), PadX: 4 * vg.Millimeter, PadY: 3 * vg.Millimeter, PadTop: 2, PadRight: 2, PadLeft: 2}
	canvases := plot.Align(plots, tiles, draw.New(svg))
	for i := range plots {
		for j, p := range plots[i] {
			p.Draw(canvases[i][j])
		}
	}
	var b bytes.Buffer
	if _, err := svg.WriteTo(&b); err != nil {
		return err
	}
	return os.WriteFile(file, plain(b.Bytes()), 0o666)
}

// panel is the plot of one operation.
func panel(all []comparison, op string, of func(figure) time.Duration) (*plot.Plot, error) {
	p := plot.New()
	p.BackgroundColor = nil
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	var callers []plot.Tick
	for _, l := range lines {
		var points plotter.XYs
		for _, c := range all {
			if c.op == op {
				points = append(points, plotter.XY{X: float64(c.callers), Y: float64(of(c.of[l.name].median())) / 1e3})
			}
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width, line.Dashes = l.color, l.width, l.dashes
		p.Add(line)
		p.Legend.Add(l.name, line)
		callers = nil
		for _, point := range points {
			callers = append(callers, plot.Tick{Value: point.X, Label: strconv.Itoa(int(point.X))})
		}
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.ConstantTicks(callers), plot.TickerFunc(microseconds)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Label.TextStyle.Color, axis.Tick.Color, axis.Tick.Label.Color = gray, gray, gray, gray
	}
	p.Title.TextStyle.Color, p.Legend.TextStyle.Color = gray, gray
	for _, style := range []*font.Font{&p.Title.TextStyle.Font, &p.Legend.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font} {
		style.Variant = "Sans"
	}
	return p, nil
}

// microseconds are the ticks of an axis: 1, 2 and 5 and their multiples.
func microseconds(low, high float64) (ticks []plot.Tick) {
	for unit := 1.0; unit <= high; unit *= 10 {
		for _, n := range []float64{1, 2, 5} {
			if v := n * unit; v >= low && v <= high {
				ticks = append(ticks, plot.Tick{Value: v, Label: strconv.Itoa(int(v))})
			}
		}
	}
	return ticks
}

// bounds are a little less than the smallest and more than the largest value of all, for axes that can
// be compared.
func bounds(all []comparison, of func(figure) time.Duration) (low, high float64) {
	var values []float64
	for _, c := range all {
		for _, l := range lines {
			values = append(values, max(0.1, float64(of(c.of[l.name].median()))/1e3))
		}
	}
	return slices.Min(values) / 1.15, slices.Max(values) * 1.15
}

// plain is the picture with coordinates of a tenth, and letters that every browser has.
func plain(svg []byte) []byte {
	svg = regexp.MustCompile(`\d+\.\d{2,}`).ReplaceAllFunc(svg, func(n []byte) []byte {
		v, _ := strconv.ParseFloat(string(n), 64)
		return strconv.AppendFloat(nil, v, 'f', 1, 64)
	})
	return regexp.MustCompile(`font-family:[^;]*;`).ReplaceAll(svg, []byte("font-family:Helvetica,Arial,sans-serif;"))
}
