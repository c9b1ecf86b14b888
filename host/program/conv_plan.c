#include <assert.h>

#include "card/systole_isa.h"
#include "program/conv.h"
#include "support/error.h"
#include "support/memory.h"

enum {
  kLatency = 128,  /* cycles from asking to a first row: the memory's, and the units' */
  kPieces = 4,     /* parts of the first fill, the first of which lets the array start */
  kMaxRing = 4,    /* more regions hide no further latency */
  kStoreRows = 64, /* that one STORE of int8 should carry */
  kMaxStoreGroup = 8,
  kResidualAreas = 4,
  kTurn = 160,         /* from a block's last sum to the parameters of the next but one */
  kTrafficShare = 128, /* cycles of a busy port that weigh as much as one of the array */
  kLoadCycles = 6      /* of a burst's request beside its rows */
};

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

/* The sums that a range of outputs needs: from `first` on, `count` of them. */
typedef struct range {
  int64_t first, count;
} range;

static range sums_of(int64_t first, int64_t count, int64_t stride, int64_t window,
                     int64_t pad, int64_t size) {
  int64_t from = first * stride - pad;
  int64_t to = from + (count - 1) * stride + window;
  range r;
  r.first = max64(from, 0);
  r.count = min64(to, size) - r.first;
  return r;
}

/* Pixels between the first and the last that `count` sums read, both included. */
static int64_t window_of(int64_t count, int64_t stride, int64_t taps, int64_t hop) {
  return (count - 1) * stride + (taps - 1) * hop + 1;
}

/* Where part `number` of `parts` begins; parts are whole steps and differ by one at most,
 * the last excepted, which ends where the size does. */
static int64_t edge(int64_t size, int64_t step, int64_t parts, int64_t number) {
  return min64(systole_ceil_div(size, step) * number / parts * step, size);
}

systole_conv_strip systole_conv_strip_at(const systole_conv_call *call,
                                         const systole_conv_layout *layout,
                                         const systole_conv_plan *plan, int64_t down,
                                         int64_t across) {
  const systole_conv2d *c = &call->conv;
  systole_conv_strip s;
  s.out_y = edge(layout->out_lines, plan->line_step, plan->strips_down, down);
  s.out_x = edge(layout->out_columns, plan->column_step, plan->strips_across, across);
  s.out_lines =
      edge(layout->out_lines, plan->line_step, plan->strips_down, down + 1) - s.out_y;
  s.out_columns =
      edge(layout->out_columns, plan->column_step, plan->strips_across, across + 1) -
      s.out_x;
  range lines = {s.out_y, s.out_lines}, columns = {s.out_x, s.out_columns};
  if (c->pool != SYSTOLE_POOLING_NONE) {
    lines = sums_of(s.out_y, s.out_lines, c->pool_stride_height, c->pool_height,
                    c->pool_pad_top, layout->conv_lines);
    columns = sums_of(s.out_x, s.out_columns, c->pool_stride_width, c->pool_width,
                      c->pool_pad_left, layout->conv_columns);
  }
  s.y = lines.first;
  s.lines = lines.count;
  s.x = columns.first;
  s.columns = columns.count;
  s.window_y = s.y * layout->stride_height - layout->pad_top;
  s.window_x = s.x * layout->stride_width - layout->pad_left;
  s.window_lines =
      window_of(s.lines, layout->stride_height, layout->taps_height, layout->hop_height);
  s.window_columns =
      window_of(s.columns, layout->stride_width, layout->taps_width, layout->hop_width);
  s.lead = s.window_x > 0 ? s.window_x % plan->beat_rows : 0;
  s.window_x -= s.lead;
  s.window_columns += s.lead;
  return s;
}

/* One way to cut, and its cycles. */
typedef struct cut {
  int64_t lines, columns; /* of outputs */
  int64_t chunk;
  double cycles;
} cut;

typedef struct machine {
  double tile_cycles;  /* between two tiles, at the least */
  double row_cycles;   /* to load a row */
  double store_cycles; /* to store a row of results */
  int64_t half_rows, ub_rows, beat_rows;
} machine;

/* Most sums and pixels of a strip of these outputs. */
static systole_conv_strip largest(const systole_conv_call *call,
                                  const systole_conv_layout *l, const machine *m,
                                  int64_t lines, int64_t columns) {
  const systole_conv2d *c = &call->conv;
  systole_conv_strip s = {0};
  s.out_lines = s.lines = lines;
  s.out_columns = s.columns = columns;
  if (c->pool != SYSTOLE_POOLING_NONE) {
    s.lines = min64((lines - 1) * c->pool_stride_height + c->pool_height, l->conv_lines);
    s.columns =
        min64((columns - 1) * c->pool_stride_width + c->pool_width, l->conv_columns);
  }
  s.window_lines = window_of(s.lines, l->stride_height, l->taps_height, l->hop_height);
  s.window_columns = window_of(s.columns, l->stride_width, l->taps_width, l->hop_width);
  if (columns < l->out_columns) s.window_columns += m->beat_rows - 1; /* a lead */
  return s;
}

/* Rows of the unified buffer beside the regions of the image. */
static int64_t other_rows(const systole_conv_call *call, const systole_conv_layout *l,
                          int64_t out_rows) {
  int64_t areas = l->element == 1 ? 2 : 0;
  if (call->conv.residual != NULL)
    areas += min64(kResidualAreas, l->o_blocks * l->bundles);
  return areas * out_rows;
}

static int64_t strips_of(const systole_conv_layout *l, int64_t lines, int64_t columns) {
  return systole_ceil_div(l->out_lines, lines) *
         systole_ceil_div(l->out_columns, columns) * l->images;
}

/* Channel blocks that fit at a time; 0 when this strip is too large. */
static int64_t chunk_of(const systole_conv_call *call, const systole_conv_layout *l,
                        const machine *m, const systole_conv_strip *s) {
  if (s->lines * s->columns > m->half_rows) return 0;
  int64_t room = m->ub_rows - other_rows(call, l, s->out_lines * s->out_columns);
  int64_t window = s->window_lines * s->window_columns;
  int single = strips_of(l, s->out_lines, s->out_columns) == 1 && l->bundles == 1;
  if (room < window) return 0;
  if (single && window * l->c_blocks <= room) return l->c_blocks;
  int64_t chunk = min64(room / (2 * window), l->c_blocks);
  return min64(chunk, (1 << SYSTOLE_COPY_BLOCKS_BITS) - 1);
}

/* Cycles of the array alone. A tile takes its time to come, whatever the strip's height;
 * a strip that is not well above that feels every delay of memory. A block of outputs
 * must leave before the next but one, with its parameters fetched in between. */
static double array_cycles(const systole_conv_call *call, const systole_conv_layout *l,
                           const machine *m, const systole_conv_strip *s, double tiles) {
  const int64_t down = systole_ceil_div(l->out_lines, s->out_lines);
  const int64_t across = systole_ceil_div(l->out_columns, s->out_columns);
  const int64_t parts = down * across;
  const double strips = (double)parts * (double)l->images * (double)l->bundles;
  double sums = (double)(s->lines * s->columns);
  /* Strips differ by a line: the mean, where there is no pool. */
  if (call->conv.pool == SYSTOLE_POOLING_NONE) {
    sums = (double)l->conv_lines * (double)l->conv_columns / (double)parts;
  }
  const double least = m->tile_cycles * (parts > 1 ? 2.0 : 1.0);
  double block = tiles / (double)l->o_blocks * (sums > least ? sums : least);
  const double outs = (double)(s->out_lines * s->out_columns);
  const double turn = l->params && l->o_blocks * l->bundles > 2 ? outs + kTurn : 0;
  if (block < turn) block = turn;
  return strips * block * (double)l->o_blocks;
}

/* Cycles of the whole run, all units working side by side, and what cannot overlap: the
 * first fill and the last results. */
static double cycles_of(const systole_conv_call *call, const systole_conv_layout *l,
                        const machine *m, const systole_conv_strip *s, int64_t chunk) {
  const double strips =
      (double)strips_of(l, s->out_lines, s->out_columns) * (double)l->bundles;
  const double outs = (double)(s->out_lines * s->out_columns);
  const double tiles =
      (double)(l->taps_height * l->taps_width * l->c_blocks * l->o_blocks);
  const int64_t chunks = systole_ceil_div(l->c_blocks, chunk);
  double turns = 1;
  if (chunks > 1) {
    const int64_t group = min64(m->half_rows / (s->lines * s->columns), l->o_blocks);
    turns = (double)systole_ceil_div(l->o_blocks, max64(group, 1));
  }
  const double window = (double)(s->window_lines * s->window_columns);
  const double row = m->row_cycles;
  /* Lines that follow one another on both sides are one request. */
  const int whole = s->window_columns == l->line_rows && s->window_columns == l->columns;
  const double requests = whole ? 1.0 : (double)s->window_lines;
  const double array = array_cycles(call, l, m, s, tiles);
  double load =
      strips * turns * (double)l->c_blocks * (window * row + kLoadCycles * requests);
  if (call->conv.residual != NULL) load += strips * outs * (double)l->o_blocks * row;
  const double store = strips * outs * (double)l->o_blocks * m->store_cycles;
  double activate = strips * outs * (double)l->o_blocks;
  if (call->conv.pool != SYSTOLE_POOLING_NONE) {
    activate *= (double)(call->conv.pool_height * call->conv.pool_width);
  }
  double most = array;
  if (load > most) most = load;
  if (store > most) most = store;
  if (activate > most) most = activate;
  const double pieces = (double)min64(chunk, kPieces);
  const double begin = kLatency + window * row * (double)chunk / pieces;
  const double end = kLatency + outs * (1 + m->store_cycles);
  /* Bytes that are moved behind the array's back cost energy, and time where memory is
   * slower than its port. */
  const double traffic = load + strips * tiles * m->tile_cycles;
  return begin + most + end + traffic / kTrafficShare;
}

/* The best number of lines for strips of `columns` columns. */
static void try_columns(cut *best, const systole_conv_call *call,
                        const systole_conv_layout *l, const machine *m, int64_t columns,
                        int64_t line_step) {
  int64_t seen = 0;
  for (int64_t want = line_step; want < l->out_lines + line_step; want += line_step) {
    int64_t strips = systole_ceil_div(l->out_lines, want);
    int64_t lines =
        systole_ceil_div(systole_ceil_div(l->out_lines, strips), line_step) * line_step;
    if (lines > l->out_lines) lines = l->out_lines;
    if (lines == seen) continue;
    seen = lines;
    systole_conv_strip s = largest(call, l, m, lines, columns);
    if (s.lines * s.columns > m->half_rows) break;
    int64_t chunk = chunk_of(call, l, m, &s);
    if (chunk == 0) continue;
    double cycles = cycles_of(call, l, m, &s, chunk);
    if (best->chunk == 0 || cycles < best->cycles) {
      *best = (cut){lines, columns, chunk, cycles};
    }
  }
}

systole_status systole_conv_plan_make(systole_conv_plan *out,
                                      const systole_geometry *geometry,
                                      const systole_conv_call *call,
                                      const systole_conv_layout *layout) {
  const int64_t dim = layout->dim, axi = geometry->axi_bytes;
  const int64_t beat_rows = max64(1, axi / dim);
  machine m;
  m.tile_cycles = (double)max64(dim, dim * dim / axi);
  if (layout->tile_cycles > m.tile_cycles) m.tile_cycles = layout->tile_cycles;
  m.row_cycles = dim > axi ? (double)dim / (double)axi : 1.0;
  m.store_cycles = (double)(dim * layout->element) / (double)axi;
  if (m.store_cycles < 1.0) m.store_cycles = 1.0;
  m.half_rows = min64(geometry->acc_rows / 2, (1 << SYSTOLE_MATMUL_ROWS0_BITS) - 1);
  m.ub_rows = geometry->ub_rows;
  m.beat_rows = beat_rows;

  /* Strips begin on whole beats of memory: by their lines where a line is one row, else
   * each line does, and pieces of lines must be whole beats, too. */
  const int64_t line_step = layout->line_rows == 1 ? beat_rows : 1;
  const int64_t column_step = beat_rows;
  cut best = {0, 0, 0, 0.0};
  int64_t seen = 0;
  for (int64_t across = 1; across <= layout->out_columns;
       across = across < 8 ? across + 1 : across + across / 4) {
    int64_t columns = systole_ceil_div(layout->out_columns, across);
    if (across > 1) columns = systole_ceil_div(columns, column_step) * column_step;
    if (columns == seen || columns > layout->out_columns) continue;
    seen = columns;
    /* Narrow strips read their halo again and again: not narrower than need be. */
    if (best.chunk == layout->c_blocks && across > 4) break;
    try_columns(&best, call, layout, &m, columns, line_step);
  }
  if (best.chunk == 0) {
    return systole_fail(
        SYSTOLE_ERR_UNSUPPORTED,
        "no output of a kernel of %lld x %lld with dilation %lld x %lld%s fits the "
        "device's %u unified-buffer rows and %u accumulator rows",
        (long long)call->conv.kernel_height, (long long)call->conv.kernel_width,
        (long long)call->conv.dilation_height, (long long)call->conv.dilation_width,
        call->conv.pool != SYSTOLE_POOLING_NONE ? " and its pool's window" : "",
        geometry->ub_rows, geometry->acc_rows);
  }

  systole_conv_plan plan = {0};
  plan.half_rows = geometry->acc_rows / 2;
  plan.beat_rows = beat_rows;
  plan.strip_lines = best.lines;
  plan.strip_columns = best.columns;
  plan.line_step = line_step;
  plan.column_step = column_step;
  plan.strips_down = systole_ceil_div(layout->out_lines, best.lines);
  plan.strips_across = systole_ceil_div(layout->out_columns, best.columns);
  plan.chunks = systole_ceil_div(layout->c_blocks, best.chunk);
  plan.chunk = systole_ceil_div(layout->c_blocks, plan.chunks);
  systole_conv_strip s = largest(call, layout, &m, best.lines, best.columns);
  const int64_t sums = s.lines * s.columns, outs = s.out_lines * s.out_columns;
  plan.group =
      plan.chunks == 1 ? 1 : max64(1, min64(m.half_rows / sums, layout->o_blocks));
  plan.region = s.window_lines * s.window_columns * plan.chunk;
  int64_t fills =
      layout->images * plan.strips_down * plan.strips_across * layout->bundles;
  if (plan.chunks > 1) {
    fills *= plan.chunks * systole_ceil_div(layout->o_blocks, plan.group);
  }
  int64_t room = m.ub_rows;
  if (call->conv.residual != NULL) {
    plan.residual_areas = min64(kResidualAreas, layout->o_blocks * layout->bundles);
    plan.residual_rows = outs;
    room -= plan.residual_areas * outs;
  }
  if (layout->element == 1) {
    plan.store_group = 1;
    plan.result_rows = outs;
    room -= 2 * outs;
    /* Short results leave together, where the buffer has the room. */
    while (plan.store_group < kMaxStoreGroup && plan.store_group < layout->o_blocks &&
           plan.store_group * outs < kStoreRows &&
           room - 2 * outs >= min64(fills, 2) * plan.region) {
      plan.store_group++;
      plan.result_rows += outs;
      room -= 2 * outs;
    }
  }
  plan.ring = min64(fills, min64(room / plan.region, kMaxRing));
  assert(plan.ring >= min64(fills, 2));
  plan.result = plan.ring * plan.region;
  plan.residual = plan.result + (layout->element == 1 ? 2 * plan.result_rows : 0);
  plan.steps = layout->images * plan.strips_down * plan.strips_across * layout->bundles *
               layout->o_blocks * plan.chunks;
  *out = plan;
  return SYSTOLE_OK;
}
