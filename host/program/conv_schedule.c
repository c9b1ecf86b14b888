/* The same way of working as schedule.c: MATMULs in the array's order, and around them
 *   - loads: LOADs that bring a strip's window into the unified buffer, halo included,
 * and residual operands;
 *   - feeds: WEIGHTS that fetch tiles and column parameters;
 *   - retires: an ACTIVATE for each finished block of output channels, and a STORE.
 *
 * Each is written down with the tokens it needs and with the MATMUL before which it is
 * dispatched. An instruction waits only for such that stand before it in the stream, so
 * the stream cannot deadlock but for queues and the FIFO, which the prover follows. */
#include <assert.h>

#include "program/conv.h"
#include "program/program.h"
#include "support/error.h"
#include "support/memory.h"

enum {
  kMaxPieces = 4, /* parts of the first fill */
  kMaxRing = 4,
  kMaxResidualAreas = 4,
  kNone = -1
};

typedef struct sequence {
  systole_instruction *at;
  int64_t *slot; /* MATMUL before which, or for retires behind which, it is dispatched */
  int64_t count, room;
} sequence;

/* Finished output blocks of a group, still to be retired. */
typedef struct finished {
  systole_conv_strip strip;
  int64_t image, bundle;
  int64_t block, end; /* next output block of the bundle to retire; one past the last */
  int64_t acc_row;
  int64_t half;
  int64_t completed; /* MATMUL that ended the group; kNone once it has been waited for */
} finished;

typedef struct builder {
  const systole_conv_call *call;
  const systole_conv_layout *layout;
  const systole_conv_plan *plan;
  int resident; /* the banks hold all parameters there are */

  sequence matmuls, feeds, fills, residuals, activates, stores;
  int64_t *step_feed;      /* [MATMUL] the feed with its tiles */
  int64_t *activate_feed;  /* [ACTIVATE] params to be dispatched before, or kNone */
  int64_t *activate_store; /* [ACTIVATE] STORE that follows it, or kNone */

  int64_t fill;                   /* number of the last fill; kNone before the first */
  int64_t pieces;                 /* of fill 0 */
  int64_t piece_ends[kMaxPieces]; /* its LOADs that give a token, by piece */
  int64_t fill_end;               /* LOAD of the last fill that gives a token */
  int64_t fill_start;             /* first MATMUL that reads it */
  int64_t region_user[kMaxRing];  /* MATMUL that read the region last */
  finished old;
  int64_t groups;
  int64_t half_user[2];
  int64_t params_feeds;
  int64_t bank_user[2], bank_feed[2];
  int64_t feed_end, feed_tiles;
  int64_t store_groups;
  int64_t area_user[2];
  int64_t open_block, open_count;
  int64_t residual_users[kMaxResidualAreas]; /* ACTIVATE that read the area last */
} builder;

static unsigned bit(int unit) { return 1u << unit; }

static systole_instruction *push(sequence *s, int opcode, int64_t slot) {
  assert(s->count < s->room);
  s->at[s->count] = systole_instruction_make(opcode, 0, 0);
  s->slot[s->count] = slot;
  return &s->at[s->count++];
}

/* One token from instruction `from` of its unit to instruction `to`. */
static void token(systole_instruction *from, systole_instruction *to) {
  int giver = systole_opcode_unit((int)SYSTOLE_GET(from, OPCODE));
  int taker = systole_opcode_unit((int)SYSTOLE_GET(to, OPCODE));
  unsigned give = (unsigned)SYSTOLE_GET(from, GIVE),
           wait = (unsigned)SYSTOLE_GET(to, WAIT);
  assert((give & bit(taker)) == 0 && (wait & bit(giver)) == 0);
  SYSTOLE_SET(from, GIVE, give | bit(taker));
  SYSTOLE_SET(to, WAIT, wait | bit(giver));
}

/* ---- loads ------------------------------------------------------------------------- */

/* Channel blocks of a bundle that are in the unified buffer together. */
typedef struct chunk {
  int64_t first, count;
} chunk;

/* `lines` lines of the fill byte. */
static void add_halo(builder *b, const systole_conv_strip *s, int64_t ub_row,
                     int64_t lines, int64_t blocks, int64_t slot) {
  if (lines == 0) return;
  systole_instruction *load = push(&b->fills, SYSTOLE_OP_LOAD, slot);
  SYSTOLE_SET(load, COPY_UB_ROW, ub_row);
  SYSTOLE_SET(load, COPY_FILL_BEFORE, s->window_columns);
  SYSTOLE_SET(load, COPY_FILL_BYTE, b->call->conv.input_zero_point);
  SYSTOLE_SET(load, COPY_LINES, lines);
  SYSTOLE_SET(load, COPY_BLOCKS, blocks);
  if (lines > 1) SYSTOLE_SET(load, COPY_UB_LINE_STRIDE, s->window_columns);
  if (blocks > 1) {
    SYSTOLE_SET(load, COPY_UB_BLOCK_STRIDE, s->window_lines * s->window_columns);
  }
}

/* Part of 0 ... size - 1 that a window from `first` on covers, and what lies around it.
 */
typedef struct overlap {
  int64_t before, inside, after;
} overlap;

static overlap cover(int64_t first, int64_t count, int64_t size) {
  overlap o;
  int64_t from = first < 0 ? 0 : first, to = first + count < size ? first + count : size;
  o.inside = to > from ? to - from : 0;
  o.before = o.inside == 0 ? count : from - first;
  o.after = count - o.before - o.inside;
  return o;
}

/* LOADs of blocks `part` of a strip's window; the last of them will give the token. */
static void add_window(builder *b, const systole_conv_strip *s, int64_t image,
                       int64_t bundle, chunk part, int64_t ub_row, int64_t slot) {
  const systole_conv_layout *l = b->layout;
  const overlap y = cover(s->window_y, s->window_lines, l->lines);
  const overlap x = cover(s->window_x, s->window_columns, l->columns);
  if (y.inside == 0 || x.inside == 0) { /* padding alone */
    add_halo(b, s, ub_row, s->window_lines, part.count, slot);
    return;
  }
  add_halo(b, s, ub_row, y.before, part.count, slot);
  const int64_t line = s->window_y + y.before, column = s->window_x + x.before;
  const int64_t block_bytes = l->block_rows * l->dim;
  systole_instruction *load = push(&b->fills, SYSTOLE_OP_LOAD, slot);
  SYSTOLE_SET(load, COPY_UB_ROW, ub_row + y.before * s->window_columns);
  SYSTOLE_SET(load, COPY_OFFSET,
              (bundle * l->c_blocks + part.first) * block_bytes +
                  ((image * l->lines + line) * l->line_rows + column) * l->dim);
  const int whole = x.inside == s->window_columns && x.inside == l->line_rows &&
                    y.inside * x.inside < 1 << SYSTOLE_COPY_ROWS_BITS;
  if (whole) { /* lines follow one another on both sides */
    SYSTOLE_SET(load, COPY_ROWS, y.inside * x.inside);
    SYSTOLE_SET(load, COPY_LINES, 1);
  } else {
    SYSTOLE_SET(load, COPY_ROWS, x.inside);
    SYSTOLE_SET(load, COPY_FILL_BEFORE, x.before);
    SYSTOLE_SET(load, COPY_FILL_AFTER, x.after);
    SYSTOLE_SET(load, COPY_FILL_BYTE, b->call->conv.input_zero_point);
    SYSTOLE_SET(load, COPY_LINES, y.inside);
    if (y.inside > 1) {
      SYSTOLE_SET(load, COPY_MEM_LINE_STRIDE, l->line_rows * l->dim);
      SYSTOLE_SET(load, COPY_UB_LINE_STRIDE, s->window_columns);
    }
  }
  SYSTOLE_SET(load, COPY_BLOCKS, part.count);
  if (part.count > 1) {
    SYSTOLE_SET(load, COPY_MEM_BLOCK_STRIDE, block_bytes);
    SYSTOLE_SET(load, COPY_UB_BLOCK_STRIDE, s->window_lines * s->window_columns);
  }
  add_halo(b, s, ub_row + (y.before + y.inside) * s->window_columns, y.after, part.count,
           slot);
}

/* Brings a chunk of a strip into the next region. The very first fill comes in pieces, so
 * that the array starts on the first of them; any later one waits until the last reader
 * of its region is done, and is dispatched right behind it. */
static void add_fill(builder *b, const systole_conv_strip *s, int64_t image,
                     int64_t bundle, chunk whole) {
  const systole_conv_plan *plan = b->plan;
  b->fill++;
  const int64_t window = s->window_lines * s->window_columns;
  const int64_t region = b->fill % plan->ring * plan->region;
  if (b->fill == 0) {
    b->pieces = whole.count < kMaxPieces ? whole.count : kMaxPieces;
    for (int64_t p = 0; p < b->pieces; p++) {
      const int64_t from = whole.count * p / b->pieces,
                    to = whole.count * (p + 1) / b->pieces;
      /* One piece ahead of the MATMUL that reads it. */
      add_window(b, s, image, bundle, (chunk){whole.first + from, to - from},
                 region + from * window, p > 0 ? p - 1 : 0);
      b->piece_ends[p] = b->fills.count - 1;
    }
    return;
  }
  const int64_t first = b->fills.count;
  /* The others of the first fills one by one, so that the queue of LOADs never holds up
   * the dispatch of MATMULs that could run. */
  int64_t slot = b->fill_start + 1 > b->pieces ? b->fill_start + 1 : b->pieces;
  if (b->fill >= plan->ring) slot = b->region_user[b->fill % plan->ring] + 1;
  b->fill_start = b->matmuls.count;
  add_window(b, s, image, bundle, whole, region, slot);
  b->fill_end = b->fills.count - 1;
  if (b->fill >= plan->ring) {
    token(&b->matmuls.at[b->region_user[b->fill % plan->ring]], &b->fills.at[first]);
  }
}

/* ---- feeds ------------------------------------------------------------------------- */

/* `count` tiles from tile `first` of output block `block` (of all bundles) on; joined to
 * the last feed when they lie right behind it. */
static int64_t feed_tiles(builder *b, int64_t block, int64_t first, int64_t count) {
  const int64_t tile = (int64_t)b->layout->dim * b->layout->dim;
  const int64_t offset = block * (int64_t)b->layout->tiles_bytes + first * tile;
  const int64_t most = ((int64_t)1 << SYSTOLE_WEIGHTS_TILES_BITS) - 1;
  if (b->feed_end != offset || b->feed_tiles + count > most) {
    systole_instruction *feed = push(&b->feeds, SYSTOLE_OP_WEIGHTS, 0);
    SYSTOLE_SET(feed, WEIGHTS_OFFSET, offset);
    b->feed_tiles = 0;
  }
  b->feed_tiles += count;
  b->feed_end = offset + count * tile;
  SYSTOLE_SET(&b->feeds.at[b->feeds.count - 1], WEIGHTS_TILES, b->feed_tiles);
  return b->feeds.count - 1;
}

/* Parameters of an output block for the ACTIVATE that was pushed last. Returns the feed,
 * or kNone when they have been there before. */
static int64_t feed_params(builder *b, int64_t block) {
  const int64_t activate = b->activates.count - 1;
  systole_instruction *user = &b->activates.at[activate];
  const int64_t bank = (b->resident ? block : b->params_feeds) % 2;
  SYSTOLE_SET(user, ACTIVATE_BANK, bank);
  if (b->resident && b->bank_feed[bank] != kNone) return kNone;
  systole_instruction *feed = push(&b->feeds, SYSTOLE_OP_WEIGHTS, 0);
  SYSTOLE_SET(feed, WEIGHTS_PARAMS, 1);
  SYSTOLE_SET(feed, WEIGHTS_BANK, bank);
  SYSTOLE_SET(feed, WEIGHTS_OFFSET,
              (int64_t)(b->layout->params_offset +
                        (uint64_t)block * b->layout->params_block_bytes));
  if (b->bank_user[bank] != kNone) token(&b->activates.at[b->bank_user[bank]], feed);
  token(feed, user);
  b->bank_user[bank] = activate;
  b->bank_feed[bank] = b->feeds.count - 1;
  b->params_feeds++;
  b->feed_end = kNone; /* tiles behind this one need a feed of their own */
  return b->feeds.count - 1;
}

/* ---- retires ----------------------------------------------------------------------- */

static systole_instruction *add_store(builder *b, const finished *f, int64_t block,
                                      int64_t blocks) {
  const systole_conv_layout *l = b->layout;
  const systole_conv_strip *s = &f->strip;
  const int64_t row_bytes = (int64_t)l->dim * l->element;
  systole_instruction *store = push(&b->stores, SYSTOLE_OP_STORE, 0);
  SYSTOLE_SET(store, COPY_OFFSET,
              (int64_t)l->output_offset +
                  ((f->bundle * l->o_blocks + block) * l->out_block_rows +
                   (f->image * l->out_lines + s->out_y) * l->out_line_rows + s->out_x) *
                      row_bytes);
  if (s->out_columns == l->out_line_rows) {
    SYSTOLE_SET(store, COPY_ROWS, s->out_lines * s->out_columns);
    SYSTOLE_SET(store, COPY_LINES, 1);
  } else {
    SYSTOLE_SET(store, COPY_ROWS, s->out_columns);
    SYSTOLE_SET(store, COPY_LINES, s->out_lines);
    if (s->out_lines > 1) {
      SYSTOLE_SET(store, COPY_MEM_LINE_STRIDE, l->out_line_rows * row_bytes);
      if (l->element == 1) SYSTOLE_SET(store, COPY_UB_LINE_STRIDE, s->out_columns);
    }
  }
  SYSTOLE_SET(store, COPY_BLOCKS, blocks);
  if (blocks > 1) {
    SYSTOLE_SET(store, COPY_MEM_BLOCK_STRIDE, l->out_block_rows * row_bytes);
  }
  return store;
}

static void set_pool(builder *b, const finished *f, systole_instruction *activate) {
  const systole_conv2d *c = &b->call->conv;
  const systole_conv_strip *s = &f->strip;
  if (c->pool == SYSTOLE_POOLING_NONE) return;
  SYSTOLE_SET(activate, ACTIVATE_POOL,
              c->pool == SYSTOLE_POOLING_MAX ? SYSTOLE_POOL_MAX : SYSTOLE_POOL_AVERAGE);
  SYSTOLE_SET(activate, ACTIVATE_POOL_HEIGHT, c->pool_height);
  SYSTOLE_SET(activate, ACTIVATE_POOL_WIDTH, c->pool_width);
  SYSTOLE_SET(activate, ACTIVATE_POOL_STRIDE_H, c->pool_stride_height);
  SYSTOLE_SET(activate, ACTIVATE_POOL_STRIDE_W, c->pool_stride_width);
  SYSTOLE_SET(activate, ACTIVATE_POOL_PAD_TOP,
              s->y - (s->out_y * c->pool_stride_height - c->pool_pad_top));
  SYSTOLE_SET(activate, ACTIVATE_POOL_PAD_LEFT,
              s->x - (s->out_x * c->pool_stride_width - c->pool_pad_left));
  SYSTOLE_SET(activate, ACTIVATE_POOL_IN_WIDTH, s->columns);
  SYSTOLE_SET(activate, ACTIVATE_POOL_IN_HEIGHT, s->lines);
}

/* The residual operand of the block that ACTIVATE `index` takes out. There are several
 * areas, and it is dispatched as soon as the one that it goes to is certain to become
 * free: behind the ACTIVATE after the area's last reader. */
static systole_instruction *add_residual(builder *b, const finished *f, int64_t index) {
  const systole_conv_layout *l = b->layout;
  const systole_conv_strip *s = &f->strip;
  const int64_t areas = b->plan->residual_areas, area = index % areas;
  const int64_t lead = areas > 1 ? areas - 1 : 1;
  systole_instruction *load =
      push(&b->residuals, SYSTOLE_OP_LOAD,
           index < lead ? 0 : b->activates.slot[index - lead] + 1);
  SYSTOLE_SET(load, COPY_UB_ROW, b->plan->residual + area * b->plan->residual_rows);
  SYSTOLE_SET(load, COPY_OFFSET,
              (int64_t)l->residual_offset +
                  ((f->bundle * l->o_blocks + f->block) * l->out_block_rows +
                   (f->image * l->out_lines + s->out_y) * l->out_line_rows + s->out_x) *
                      l->dim);
  SYSTOLE_SET(load, COPY_BLOCKS, 1);
  if (s->out_columns == l->out_line_rows) {
    SYSTOLE_SET(load, COPY_ROWS, s->out_lines * s->out_columns);
    SYSTOLE_SET(load, COPY_LINES, 1);
  } else {
    SYSTOLE_SET(load, COPY_ROWS, s->out_columns);
    SYSTOLE_SET(load, COPY_LINES, s->out_lines);
    if (s->out_lines > 1) {
      SYSTOLE_SET(load, COPY_MEM_LINE_STRIDE, l->out_line_rows * l->dim);
      SYSTOLE_SET(load, COPY_UB_LINE_STRIDE, s->out_columns);
    }
  }
  if (b->residual_users[area] != kNone) {
    token(&b->activates.at[b->residual_users[area]], load);
  }
  b->residual_users[area] = index;
  return load;
}

static void set_residual(builder *b, const finished *f, systole_instruction *activate,
                         int64_t index) {
  const systole_conv2d *c = &b->call->conv;
  if (c->residual == NULL) return;
  const int64_t area = index % b->plan->residual_areas;
  systole_instruction *load = add_residual(b, f, index);
  SYSTOLE_SET(activate, ACTIVATE_RESIDUAL, 1);
  SYSTOLE_SET(activate, ACTIVATE_RES_ROW,
              b->plan->residual + area * b->plan->residual_rows);
  SYSTOLE_SET(activate, ACTIVATE_RES_STRIDE0, 1);
  SYSTOLE_SET(activate, ACTIVATE_RES_STRIDE1, f->strip.out_columns);
  SYSTOLE_SET(activate, ACTIVATE_RES_MUL, c->residual_multiplier);
  SYSTOLE_SET(activate, ACTIVATE_RES_ZERO, c->residual_zero_point);
  token(load, activate);
}

/* int8 rows go to one of two areas, which a STORE empties when its blocks are complete.
 * Returns 1 when this ACTIVATE was the last of them. */
static int finish_int8(builder *b, const finished *f, systole_instruction *activate) {
  const systole_conv_plan *plan = b->plan;
  const systole_epilogue *e = &b->call->epilogue;
  const int64_t rows = f->strip.out_lines * f->strip.out_columns;
  const int64_t area = b->store_groups % 2;
  const int64_t area_row = plan->result + area * plan->result_rows;
  if (b->open_count == 0) {
    b->open_block = f->block;
    if (b->area_user[area] != kNone) token(&b->stores.at[b->area_user[area]], activate);
  }
  SYSTOLE_SET(activate, ACTIVATE_UB_ROW, area_row + b->open_count * rows);
  SYSTOLE_SET(activate, ACTIVATE_UB_STRIDE0, 1);
  SYSTOLE_SET(activate, ACTIVATE_UB_STRIDE1, f->strip.out_columns);
  SYSTOLE_SET(activate, ACTIVATE_ZERO_POINT, e->zero_point);
  SYSTOLE_SET(activate, ACTIVATE_CLAMP_LOW, e->clamp_low);
  SYSTOLE_SET(activate, ACTIVATE_CLAMP_HIGH, e->clamp_high);
  b->open_count++;
  if (b->open_count < plan->store_group && f->block + 1 < b->layout->o_blocks) return 0;
  systole_instruction *store = add_store(b, f, b->open_block, b->open_count);
  SYSTOLE_SET(store, COPY_UB_ROW, area_row);
  if (b->open_count > 1) SYSTOLE_SET(store, COPY_UB_BLOCK_STRIDE, rows);
  token(activate, store);
  b->area_user[area] = b->stores.count - 1;
  b->store_groups++;
  b->open_count = 0;
  return 1;
}

/* Takes out the next block of the old group, behind the last MATMUL so far. */
static void retire_next(builder *b) {
  finished *f = &b->old;
  const systole_conv_strip *s = &f->strip;
  systole_instruction *activate =
      push(&b->activates, SYSTOLE_OP_ACTIVATE, b->matmuls.count - 1);
  const int64_t index = b->activates.count - 1;
  b->activate_feed[index] = b->activate_store[index] = kNone;
  SYSTOLE_SET(activate, ACTIVATE_ACC_ROW, f->acc_row);
  SYSTOLE_SET(activate, ACTIVATE_ROWS0, s->out_columns);
  SYSTOLE_SET(activate, ACTIVATE_ROWS1, s->out_lines);
  if (f->completed != kNone) token(&b->matmuls.at[f->completed], activate);
  f->completed = kNone;
  if (b->layout->params) {
    b->activate_feed[index] = feed_params(b, f->bundle * b->layout->o_blocks + f->block);
  }
  if (b->layout->bias) SYSTOLE_SET(activate, ACTIVATE_BIAS, 1);
  set_residual(b, f, activate, index);
  set_pool(b, f, activate);
  int stored = 1;
  if (b->layout->element == 1) {
    stored = finish_int8(b, f, activate);
  } else {
    SYSTOLE_SET(activate, ACTIVATE_RAW, 1);
    SYSTOLE_SET(add_store(b, f, f->block, 1), COPY_RAW, 1);
  }
  if (stored) b->activate_store[index] = b->stores.count - 1;
  f->block++;
  f->acc_row += s->lines * s->columns;
  if (f->block == f->end) b->half_user[f->half] = index;
}

/* ---- steps ------------------------------------------------------------------------- */

/* What the next MATMULs work on. */
typedef struct work {
  systole_conv_strip strip;
  int64_t image, bundle;
  int64_t block, end; /* output blocks of the group */
  int begins_strip;
} work;

/* One output block, channel blocks `part` of a chunk that begins at `chunk_first`. */
static systole_instruction *add_matmul(builder *b, const work *w, int64_t block,
                                       int64_t chunk_first, chunk part, int64_t acc_row) {
  const systole_conv_layout *l = b->layout;
  const systole_conv_strip *s = &w->strip;
  const int64_t window = s->window_lines * s->window_columns;
  systole_instruction *matmul = push(&b->matmuls, SYSTOLE_OP_MATMUL, 0);
  SYSTOLE_SET(matmul, MATMUL_UB_ROW,
              b->fill % b->plan->ring * b->plan->region +
                  (part.first - chunk_first) * window + s->lead);
  SYSTOLE_SET(matmul, MATMUL_ACCUMULATE, part.first > 0);
  SYSTOLE_SET(matmul, MATMUL_ACC_ROW, acc_row);
  SYSTOLE_SET(matmul, MATMUL_ROWS0, s->columns);
  SYSTOLE_SET(matmul, MATMUL_ROWS1, s->lines);
  SYSTOLE_SET(matmul, MATMUL_ROW_STRIDE0, l->stride_width);
  SYSTOLE_SET(matmul, MATMUL_ROW_STRIDE1, l->stride_height * s->window_columns);
  SYSTOLE_SET(matmul, MATMUL_RED0, l->taps_width);
  SYSTOLE_SET(matmul, MATMUL_RED1, l->taps_height);
  SYSTOLE_SET(matmul, MATMUL_RED2, part.count);
  SYSTOLE_SET(matmul, MATMUL_RED_STRIDE0, l->hop_width);
  SYSTOLE_SET(matmul, MATMUL_RED_STRIDE1, l->hop_height * s->window_columns);
  SYSTOLE_SET(matmul, MATMUL_RED_STRIDE2, window);
  const int64_t taps = l->taps_height * l->taps_width;
  b->step_feed[b->matmuls.count - 1] = feed_tiles(b, w->bundle * l->o_blocks + block,
                                                  part.first * taps, part.count * taps);
  return matmul;
}

/* One chunk of channels for all output blocks of a group. */
static void add_chunk(builder *b, const work *w, int64_t half, int64_t number) {
  const systole_conv_plan *plan = b->plan;
  chunk whole = {number * plan->chunk, plan->chunk};
  if (whole.first + whole.count > b->layout->c_blocks) {
    whole.count = b->layout->c_blocks - whole.first;
  }
  int fresh = plan->chunks > 1 || w->begins_strip;
  if (fresh) add_fill(b, &w->strip, w->image, w->bundle, whole);
  for (int64_t block = w->block; block < w->end; block++) {
    const int64_t pieces = fresh && b->fill == 0 ? b->pieces : 1;
    for (int64_t p = 0; p < pieces; p++) {
      const int64_t from = whole.count * p / pieces, to = whole.count * (p + 1) / pieces;
      const int64_t acc_row =
          half * plan->half_rows + (block - w->block) * w->strip.lines * w->strip.columns;
      systole_instruction *matmul = add_matmul(
          b, w, block, whole.first, (chunk){whole.first + from, to - from}, acc_row);
      if (fresh) {
        token(&b->fills.at[b->fill == 0 ? b->piece_ends[p] : b->fill_end], matmul);
      }
      if (b->half_user[half] != kNone) {
        token(&b->activates.at[b->half_user[half]], matmul);
      }
      b->half_user[half] = kNone; /* waited for once */
    }
    fresh = 0;
    if (b->old.block < b->old.end) retire_next(b);
  }
  b->region_user[b->fill % plan->ring] = b->matmuls.count - 1;
}

static void add_group(builder *b, const work *w) {
  const int64_t half = b->groups++ % 2;
  for (int64_t number = 0; number < b->plan->chunks; number++) {
    add_chunk(b, w, half, number);
  }
  while (b->old.block < b->old.end) retire_next(b);
  b->old = (finished){w->strip,  w->image,
                      w->bundle, w->block,
                      w->end,    half * b->plan->half_rows,
                      half,      b->matmuls.count - 1};
  /* Two banks hold parameters: two blocks leave at once, the others as the next group
   * goes on, so that fetching their parameters never holds up its tiles. */
  retire_next(b);
  if (b->old.block < b->old.end) retire_next(b);
}

static void lay_out(builder *b) {
  const systole_conv_layout *l = b->layout;
  const systole_conv_plan *plan = b->plan;
  for (int64_t image = 0; image < l->images; image++) {
    for (int64_t down = 0; down < plan->strips_down; down++) {
      for (int64_t across = 0; across < plan->strips_across; across++) {
        work w = {0};
        w.strip = systole_conv_strip_at(b->call, l, plan, down, across);
        w.image = image;
        for (w.bundle = 0; w.bundle < l->bundles; w.bundle++) {
          w.begins_strip = 1;
          for (w.block = 0; w.block < l->o_blocks; w.block = w.end) {
            w.end = w.block + plan->group;
            if (w.end > l->o_blocks) w.end = l->o_blocks;
            add_group(b, &w);
            w.begins_strip = 0;
          }
        }
      }
    }
  }
  while (b->old.block < b->old.end) retire_next(b);
}

/* ---- the order --------------------------------------------------------------------- */

static void emit(systole_conv_program *program, const systole_instruction *instruction) {
  program->instructions[program->count++] = *instruction;
}

static void put_in_order(systole_conv_program *program, const builder *b) {
  int64_t fills = 0, residuals = 0, feeds = 0, activates = 0, stores = 0;
  for (int64_t i = 0; i < b->matmuls.count; i++) {
    /* At first the window: nothing starts without it. */
    for (; i == 0 && fills < b->fills.count && b->fills.slot[fills] == 0; fills++) {
      emit(program, &b->fills.at[fills]);
    }
    for (; residuals < b->residuals.count && b->residuals.slot[residuals] <= i;
         residuals++) {
      emit(program, &b->residuals.at[residuals]);
    }
    /* The weight unit runs ahead of the array, as far as its queue reaches. One more, and
     * the queue could be full of what waits for this MATMUL. */
    const int64_t ahead = b->step_feed[i] + SYSTOLE_QUEUE_DEPTH;
    while (feeds < b->feeds.count && feeds < ahead) emit(program, &b->feeds.at[feeds++]);
    for (; fills < b->fills.count && b->fills.slot[fills] <= i; fills++) {
      emit(program, &b->fills.at[fills]);
    }
    emit(program, &b->matmuls.at[i]);
    for (; activates < b->activates.count && b->activates.slot[activates] == i;
         activates++) {
      for (; residuals <= activates && residuals < b->residuals.count; residuals++) {
        emit(program, &b->residuals.at[residuals]);
      }
      while (feeds <= b->activate_feed[activates]) {
        emit(program, &b->feeds.at[feeds++]);
      }
      emit(program, &b->activates.at[activates]);
      while (stores <= b->activate_store[activates]) {
        emit(program, &b->stores.at[stores++]);
      }
    }
  }
  systole_instruction end = systole_instruction_make(SYSTOLE_OP_END, 0, 0);
  emit(program, &end);
}

static systole_status reserve(sequence *s, int64_t room) {
  void *at = NULL, *slot = NULL;
  systole_status status =
      systole_allocate(&at, (uint64_t)room, sizeof(systole_instruction), "a program");
  if (status == SYSTOLE_OK) {
    status = systole_allocate(&slot, (uint64_t)room, sizeof(int64_t), "a program");
  }
  s->at = at;
  s->slot = slot;
  s->room = room;
  return status;
}

static void discard(sequence *s) {
  systole_release(s->at);
  systole_release(s->slot);
}

systole_status systole_conv_schedule(systole_conv_program *program,
                                     const systole_geometry *geometry,
                                     const systole_conv_call *call,
                                     const systole_conv_layout *layout) {
  (void)geometry;
  const systole_conv_plan *plan = &program->plan;
  builder b = {0};
  b.call = call;
  b.layout = layout;
  b.plan = plan;
  b.resident = layout->params && layout->o_blocks * layout->bundles <= 2;
  b.feed_end = b.fill = kNone;
  for (int i = 0; i < 2; i++) {
    b.half_user[i] = b.bank_user[i] = b.bank_feed[i] = b.area_user[i] = kNone;
  }
  for (int i = 0; i < kMaxResidualAreas; i++) b.residual_users[i] = kNone;

  const int64_t steps = plan->steps + kMaxPieces; /* and every fill has three LOADs */
  struct {
    sequence *sequence;
    int64_t room;
  } rooms[] = {{&b.matmuls, steps},
               {&b.fills, 3 * steps},
               {&b.residuals, call->conv.residual != NULL ? steps : 1},
               {&b.feeds, layout->params ? 2 * steps : steps},
               {&b.activates, steps},
               {&b.stores, steps}};
  enum { kRooms = sizeof rooms / sizeof rooms[0] };
  systole_status status = SYSTOLE_OK;
  for (int i = 0; i < kRooms && status == SYSTOLE_OK; i++) {
    status = reserve(rooms[i].sequence, rooms[i].room);
  }
  void *numbers = NULL, *out = NULL;
  if (status == SYSTOLE_OK) {
    status =
        systole_allocate(&numbers, 3 * (uint64_t)steps, sizeof(int64_t), "a program");
  }
  if (status != SYSTOLE_OK) goto done;
  b.step_feed = numbers;
  b.activate_feed = b.step_feed + steps;
  b.activate_store = b.activate_feed + steps;

  lay_out(&b);
  int64_t total = 1;
  for (int i = 0; i < kRooms; i++) total += rooms[i].sequence->count;
  status =
      systole_allocate(&out, (uint64_t)total, sizeof(systole_instruction), "a program");
  if (status != SYSTOLE_OK) goto done;
  program->instructions = out;
  put_in_order(program, &b);
  assert(program->count == total);

done:
  systole_release(numbers);
  for (int i = 0; i < kRooms; i++) discard(rooms[i].sequence);
  return status;
}

systole_status systole_conv_program_make(systole_conv_program **out,
                                         const systole_geometry *geometry,
                                         const systole_conv_call *call,
                                         const systole_conv_layout *layout) {
  *out = NULL;
  void *memory;
  systole_status status =
      systole_allocate_zeroed(&memory, 1, sizeof(systole_conv_program), "a program");
  if (status != SYSTOLE_OK) return status;
  systole_conv_program *program = memory;
  status = systole_conv_plan_make(&program->plan, geometry, call, layout);
  if (status == SYSTOLE_OK && program->plan.steps > SYSTOLE_PROGRAM_MAX_STEPS) {
    status = systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "a program of %lld steps is longer than the %d that one run may have",
        (long long)program->plan.steps, SYSTOLE_PROGRAM_MAX_STEPS);
  }
  if (status == SYSTOLE_OK) {
    status = systole_conv_schedule(program, geometry, call, layout);
  }
  if (status == SYSTOLE_OK) {
    status = systole_prove(program->instructions, program->count, geometry);
    if (status != SYSTOLE_OK) {
      status = systole_fail_in(SYSTOLE_ERR_INTERNAL,
                               "the schedule of this convolution is not sound");
    }
  }
  if (status == SYSTOLE_OK) {
    *out = program;
  } else {
    systole_conv_program_free(program);
  }
  return status;
}

void systole_conv_program_free(systole_conv_program *program) {
  if (program == NULL) return;
  systole_release(program->instructions);
  systole_release(program);
}
