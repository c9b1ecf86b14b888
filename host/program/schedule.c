/* A MATMUL computes one column block of one strip (or of one chunk of K of it). Around
 * the MATMULs, in the order of the array's work, stand
 *   - fills: LOADs that bring a strip (or chunk) of A into the unified buffer;
 *   - feeds: WEIGHTS that fetch the tiles, and blocks of column parameters;
 *   - retires: an ACTIVATE and a STORE that take finished column blocks out.
 *
 * They are all written down first, each with the tokens it needs: whoever is made to wait
 * for an earlier instruction has that instruction give, so that tokens always balance.
 * Then they are put in order: dispatch is in order and a unit's queue holds QueueDepth
 * instructions, so each stands shortly before it is needed. */
#include "program/schedule.h"

#include <assert.h>

#include "support/memory.h"

enum {
  kLoadsAhead = 4, /* LOADs dispatched before the MATMUL that needs the first of them */
  kMaxParts = 16,  /* of the last column block: halves of halves of at most 65535 rows */
  kLastParts = 2,  /* of the first strip's last piece */
  kLeastPart = 16, /* rows; below, the instructions cost more than the part saves */
  kNone = -1
};

/* A sequence of one kind of instruction. */
typedef struct sequence {
  systole_instruction *at;
  int64_t count, room;
} sequence;

typedef struct step {   /* one MATMUL */
  int64_t feed;         /* the feed that holds its tiles */
  int64_t last_of_fill; /* the fill whose region is free after it, else kNone */
  int64_t fill;         /* that it reads */
} step;

typedef struct retire { /* one ACTIVATE, and a STORE with the last of a store group */
  int64_t after;        /* step that it follows */
  int64_t feed;         /* params that must have been dispatched before, else kNone */
  int64_t store;        /* STORE that follows it, else kNone */
} retire;

/* Finished column blocks of a group, still to be retired. */
typedef struct finished {
  int64_t row, rows; /* of C */
  int64_t block;     /* next column block to retire, within the run */
  int64_t end;       /* one past the last; block = end: nothing is left */
  int64_t acc_row;   /* of `block` */
  int64_t half;
  int64_t completed; /* MATMUL that ended the group; kNone once it has been waited for */
} finished;

typedef struct builder {
  const systole_weights_layout *weights;
  const systole_gemm_spec *spec;
  const systole_plan *plan;
  int params;     /* column parameters are used */
  int resident;   /* the banks hold all there are: each block is fetched once */
  int64_t pieces; /* LOADs of fill 0, all parts together */

  sequence matmuls, feeds, activates, stores;
  sequence fills; /* the pieces of fill 0 come first */
  step *steps;
  retire *retires;

  int64_t fill;       /* number of the last fill; kNone before the first */
  int64_t fill_first; /* its first LOAD */
  int64_t region_user[SYSTOLE_PLAN_MAX_RING]; /* MATMUL that read the region last */
  finished old;         /* the group before the one that is being computed */
  int64_t groups;       /* that have been begun: their parity is the accumulator half */
  int64_t half_user[2]; /* ACTIVATE that emptied the half, kNone when waited for */
  int64_t params_feeds; /* params fetched so far: parity is the bank */
  int64_t bank_user[2]; /* ACTIVATE that used the bank last */
  int64_t bank_feed[2]; /* feed that filled it last */
  int64_t feed_end;     /* weight offset at which the last feed of tiles ends */
  int64_t feed_tiles;   /* its tiles */
  int64_t store_groups; /* int8: closed so far; parity is the result area */
  int64_t area_user[2]; /* STORE that emptied the area last */
  int64_t open_block;   /* int8: first column block of the store group that is open */
  int64_t open_count;   /* its blocks so far */
} builder;

static unsigned bit(int unit) { return 1u << unit; }

static systole_instruction *push(sequence *s, int opcode) {
  assert(s->count < s->room);
  s->at[s->count] = systole_instruction_make(opcode, 0, 0);
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

/* ---- fills ------------------------------------------------------------------------- */

/* Rows of a strip, or a part of them. */
typedef struct lines {
  int64_t strip_row, strip_rows; /* of A */
  int64_t first, rows;           /* of the part, within the strip */
} lines;

/* One LOAD of reduction blocks k ... k + count - 1 of these rows. */
static void add_load(builder *b, int64_t fill, const lines *l, int64_t region_k,
                     int64_t k, int64_t count) {
  const systole_plan *plan = b->plan;
  int64_t block_bytes = plan->block_rows * plan->dim;
  systole_instruction *load = push(&b->fills, SYSTOLE_OP_LOAD);
  SYSTOLE_SET(
      load, COPY_UB_ROW,
      fill % plan->ring * plan->region + (k - region_k) * l->strip_rows + l->first);
  SYSTOLE_SET(load, COPY_OFFSET, k * block_bytes + (l->strip_row + l->first) * plan->dim);
  SYSTOLE_SET(load, COPY_ROWS, l->rows);
  SYSTOLE_SET(load, COPY_LINES, 1);
  SYSTOLE_SET(load, COPY_BLOCKS, count);
  if (count > 1) {
    SYSTOLE_SET(load, COPY_MEM_BLOCK_STRIDE, block_bytes);
    SYSTOLE_SET(load, COPY_UB_BLOCK_STRIDE, l->strip_rows);
  }
}

/* ---- feeds ------------------------------------------------------------------------- */

/* Tiles of a column block for `count` reduction blocks from k on; joined to the last feed
 * when they lie right behind it. Returns the feed. */
static int64_t feed_tiles(builder *b, int64_t block, int64_t k, int64_t count) {
  int64_t tile = (int64_t)b->plan->dim * b->plan->dim;
  int64_t offset =
      (b->spec->first_block + block) * (int64_t)b->weights->block_bytes + k * tile;
  int64_t most = ((int64_t)1 << SYSTOLE_WEIGHTS_TILES_BITS) - 1;
  if (b->feed_end != offset || b->feed_tiles + count > most) {
    systole_instruction *feed = push(&b->feeds, SYSTOLE_OP_WEIGHTS);
    SYSTOLE_SET(feed, WEIGHTS_OFFSET, offset);
    b->feed_tiles = 0;
  }
  b->feed_tiles += count;
  b->feed_end = offset + count * tile;
  SYSTOLE_SET(&b->feeds.at[b->feeds.count - 1], WEIGHTS_TILES, b->feed_tiles);
  return b->feeds.count - 1;
}

/* Parameters of a column block for the ACTIVATE that is being made (already pushed).
 * Returns the feed that it depends on, or kNone when they have been there before. */
static int64_t feed_params(builder *b, int64_t block) {
  int64_t activate = b->activates.count - 1;
  systole_instruction *user = &b->activates.at[activate];
  int64_t bank = (b->resident ? block : b->params_feeds) % 2;
  SYSTOLE_SET(user, ACTIVATE_BANK, bank);
  if (b->resident && b->bank_feed[bank] != kNone) return kNone;
  systole_instruction *feed = push(&b->feeds, SYSTOLE_OP_WEIGHTS);
  SYSTOLE_SET(feed, WEIGHTS_PARAMS, 1);
  SYSTOLE_SET(feed, WEIGHTS_BANK, bank);
  SYSTOLE_SET(
      feed, WEIGHTS_OFFSET,
      (int64_t)(b->weights->params_offset + (uint64_t)(b->spec->first_block + block) *
                                                b->weights->params_block_bytes));
  if (b->bank_user[bank] != kNone) token(&b->activates.at[b->bank_user[bank]], feed);
  token(feed, user);
  b->bank_user[bank] = activate;
  b->bank_feed[bank] = b->feeds.count - 1;
  b->params_feeds++;
  b->feed_end = kNone; /* tiles behind this one need a feed of their own */
  return b->feeds.count - 1;
}

/* ---- retires ----------------------------------------------------------------------- */

/* STORE of `blocks` column blocks from `block` on. Returns it for the caller's tokens. */
static systole_instruction *add_store(builder *b, const finished *f, int64_t block,
                                      int64_t blocks) {
  const systole_plan *plan = b->plan;
  int64_t row_bytes = (int64_t)systole_plan_row_bytes(plan, b->spec);
  systole_instruction *store = push(&b->stores, SYSTOLE_OP_STORE);
  SYSTOLE_SET(store, COPY_OFFSET,
              (int64_t)plan->c_offset + block * (int64_t)plan->c_block_bytes +
                  f->row * row_bytes);
  SYSTOLE_SET(store, COPY_ROWS, f->rows);
  SYSTOLE_SET(store, COPY_LINES, 1);
  SYSTOLE_SET(store, COPY_BLOCKS, blocks);
  if (blocks > 1) SYSTOLE_SET(store, COPY_MEM_BLOCK_STRIDE, (int64_t)plan->c_block_bytes);
  return store;
}

/* int32: rows go straight from this ACTIVATE to the STORE behind it. */
static void finish_raw(builder *b, const finished *f, systole_instruction *activate,
                       int64_t blocks) {
  SYSTOLE_SET(activate, ACTIVATE_RAW, 1);
  systole_instruction *store = add_store(b, f, f->block, blocks);
  SYSTOLE_SET(store, COPY_RAW, 1);
  if (b->plan->columns < b->plan->dim) {
    SYSTOLE_SET(store, COPY_RAW_LANES, b->plan->columns);
  }
}

/* int8: rows go to one of two result areas, which a STORE empties when the store group
 * has all its column blocks. Returns 1 when this ACTIVATE closed it. */
static int finish_int8(builder *b, const finished *f, systole_instruction *activate) {
  const systole_plan *plan = b->plan;
  int64_t area = b->store_groups % 2;
  int64_t area_row = plan->result + area * plan->result_rows;
  if (b->open_count == 0) {
    b->open_block = f->block;
    if (b->area_user[area] != kNone) token(&b->stores.at[b->area_user[area]], activate);
  }
  SYSTOLE_SET(activate, ACTIVATE_UB_ROW, area_row + b->open_count * f->rows);
  SYSTOLE_SET(activate, ACTIVATE_UB_STRIDE0, 1);
  SYSTOLE_SET(activate, ACTIVATE_ZERO_POINT, b->spec->zero_point);
  SYSTOLE_SET(activate, ACTIVATE_CLAMP_LOW, b->spec->clamp_low);
  SYSTOLE_SET(activate, ACTIVATE_CLAMP_HIGH, b->spec->clamp_high);
  b->open_count++;
  if (b->open_count < plan->store_group && f->block + 1 < b->spec->n_blocks) return 0;
  systole_instruction *store = add_store(b, f, b->open_block, b->open_count);
  SYSTOLE_SET(store, COPY_UB_ROW, area_row);
  if (b->open_count > 1) SYSTOLE_SET(store, COPY_UB_BLOCK_STRIDE, f->rows);
  token(activate, store);
  b->area_user[area] = b->stores.count - 1;
  b->store_groups++;
  b->open_count = 0;
  return 1;
}

/* Takes out the next column block of the old group, or all that is left of it when no
 * parameters stand between. It follows the last MATMUL so far. */
static void retire_next(builder *b) {
  finished *f = &b->old;
  int64_t blocks = b->params ? 1 : f->end - f->block;
  systole_instruction *activate = push(&b->activates, SYSTOLE_OP_ACTIVATE);
  int64_t index = b->activates.count - 1;
  retire *r = &b->retires[index];
  *r = (retire){b->matmuls.count - 1, kNone, kNone};
  SYSTOLE_SET(activate, ACTIVATE_ACC_ROW, f->acc_row);
  SYSTOLE_SET(activate, ACTIVATE_ROWS0, f->rows * blocks);
  SYSTOLE_SET(activate, ACTIVATE_ROWS1, 1);
  if (f->completed != kNone) token(&b->matmuls.at[f->completed], activate);
  f->completed = kNone;
  if (b->params) r->feed = feed_params(b, f->block);
  if (b->spec->bias) SYSTOLE_SET(activate, ACTIVATE_BIAS, 1);
  int stored = 1;
  if (b->spec->requantise) {
    stored = finish_int8(b, f, activate);
  } else {
    finish_raw(b, f, activate, blocks);
  }
  if (stored) r->store = b->stores.count - 1;
  f->block += blocks;
  f->acc_row += blocks * f->rows;
  if (f->block == f->end) b->half_user[f->half] = index;
}

/* ---- steps ------------------------------------------------------------------------- */

/* Where a MATMUL's activations lie and which part of K it adds. */
typedef struct source {
  int64_t fill;      /* region, by order of filling */
  int64_t fill_rows; /* rows of the strip: the stride from block to block */
  int64_t first_row; /* of the strip, within it */
  int64_t chunk_k;   /* first reduction block of the region */
  int64_t k, count;  /* reduction blocks */
} source;

static systole_instruction *add_matmul(builder *b, const source *s, int64_t block,
                                       int64_t rows, int64_t acc_row) {
  const systole_plan *plan = b->plan;
  systole_instruction *matmul = push(&b->matmuls, SYSTOLE_OP_MATMUL);
  SYSTOLE_SET(matmul, MATMUL_UB_ROW,
              s->fill % plan->ring * plan->region + (s->k - s->chunk_k) * s->fill_rows +
                  s->first_row);
  SYSTOLE_SET(matmul, MATMUL_ACCUMULATE, s->k > 0);
  SYSTOLE_SET(matmul, MATMUL_ACC_ROW, acc_row);
  SYSTOLE_SET(matmul, MATMUL_ROWS0, rows);
  SYSTOLE_SET(matmul, MATMUL_ROWS1, 1);
  SYSTOLE_SET(matmul, MATMUL_ROW_STRIDE0, 1);
  SYSTOLE_SET(matmul, MATMUL_RED0, s->count);
  SYSTOLE_SET(matmul, MATMUL_RED1, 1);
  SYSTOLE_SET(matmul, MATMUL_RED2, 1);
  if (s->count > 1) SYSTOLE_SET(matmul, MATMUL_RED_STRIDE0, s->fill_rows);
  step *st = &b->steps[b->matmuls.count - 1];
  st->feed = feed_tiles(b, block, s->k, s->count);
  st->last_of_fill = kNone;
  st->fill = s->fill;
  return matmul;
}

/* Column blocks that share an accumulator half, over the rows of a strip or of a part of
 * it. */
typedef struct group {
  int64_t strip_row, strip_rows; /* of A */
  int64_t first_row, rows;       /* of the part, within the strip */
  int64_t block, end;            /* column blocks, one past the last */
  int begins_strip, ends_strip;
  int loads_part; /* the strip's rows are loaded part by part */
  int64_t fill;   /* rolling: of the strip's first chunk */
} group;

/* Brings chunk `chunk` of a strip into the next region. Every fill but the first is one
 * LOAD, which waits until the region's last reader is done. */
static void add_fill(builder *b, const group *g, int64_t k, int64_t count) {
  lines l = {g->strip_row, g->strip_rows, 0, g->strip_rows};
  if (g->loads_part) {
    l.first = g->first_row;
    l.rows = g->rows;
  }
  if (l.first == 0) b->fill++;
  b->fill_first = b->fills.count;
  int64_t pieces = b->fill == 0 ? b->plan->pieces : 1;
  for (int64_t p = 0; p < pieces; p++) {
    int64_t from = count * p / pieces, to = count * (p + 1) / pieces;
    add_load(b, b->fill, &l, k, k + from, to - from);
  }
  if (b->fill >= b->plan->ring) {
    int64_t reader = b->region_user[b->fill % b->plan->ring];
    token(&b->matmuls.at[reader], &b->fills.at[b->fill_first]);
  }
}

/* One chunk of K for all column blocks of a group. */
static void add_chunk(builder *b, const group *g, int64_t half, int64_t chunk) {
  const systole_plan *plan = b->plan;
  int64_t k = chunk * plan->chunk, k_blocks = b->weights->k_blocks;
  int64_t count = k_blocks - k < plan->chunk ? k_blocks - k : plan->chunk;
  /* The next MATMULs wait for a LOAD. */
  int fresh = (plan->chunks > 1 && !plan->rolling) || g->begins_strip || g->loads_part;
  if (fresh) add_fill(b, g, k, count);
  int64_t fill = plan->rolling ? g->fill + chunk : b->fill;
  for (int64_t block = g->block; block < g->end; block++) {
    int64_t pieces = fresh && fill == 0 ? plan->pieces : 1;
    for (int64_t p = 0; p < pieces; p++) {
      int64_t from = count * p / pieces, to = count * (p + 1) / pieces;
      source s = {fill, g->strip_rows, g->first_row, k, k + from, to - from};
      int64_t acc_row = half * plan->half_rows + (block - g->block) * g->rows;
      systole_instruction *matmul = add_matmul(b, &s, block, g->rows, acc_row);
      if (fresh) token(&b->fills.at[b->fill_first + p], matmul);
      if (b->half_user[half] != kNone)
        token(&b->activates.at[b->half_user[half]], matmul);
      b->half_user[half] = kNone; /* waited for once */
    }
    fresh = 0;
    if (b->old.block < b->old.end) retire_next(b);
  }
  int64_t last = b->matmuls.count - 1;
  b->region_user[fill % plan->ring] = last;
  if ((plan->chunks > 1 && !plan->rolling) || g->ends_strip)
    b->steps[last].last_of_fill = fill;
}

/* A group that is complete becomes the old one. */
static void finish_group(builder *b, const group *g, int64_t half) {
  b->old = (finished){g->strip_row + g->first_row,
                      g->rows,
                      g->block,
                      g->end,
                      half * b->plan->half_rows,
                      half,
                      b->matmuls.count - 1};
  /* Two banks hold parameters: two blocks leave at once, the others follow as the next
   * group goes on, so that fetching their parameters never holds up its tiles. */
  retire_next(b);
  if (b->old.block < b->old.end) retire_next(b);
}

static void add_group(builder *b, const group *g) {
  int64_t half = b->groups++ % 2;
  for (int64_t chunk = 0; chunk < b->plan->chunks; chunk++) add_chunk(b, g, half, chunk);
  while (b->old.block < b->old.end) retire_next(b);
  finish_group(b, g, half);
}

/* The first two column blocks of all, each in a half of its own: while the first strip's
 * pieces arrive, some are used for both. The last piece comes in parts by rows, each with
 * its tiles once more, which arrive in good time now: less is left to compute when the
 * last row is there. */
static void add_first_two(builder *b, const group *g) {
  const systole_plan *plan = b->plan;
  const int64_t count = b->weights->k_blocks;
  group one = *g, two = *g;
  one.end = two.block = g->block + 1;
  two.end = two.block + 1;
  b->groups += 2;
  b->fill++;
  int64_t behind = 0; /* first reduction block that the second still lacks */
  for (int64_t p = 0; p < plan->pieces; p++) {
    int64_t from = count * p / plan->pieces, to = count * (p + 1) / plan->pieces;
    int64_t parts = p == plan->pieces - 1 ? kLastParts : 1;
    for (int64_t part = 0; part < parts; part++) {
      int64_t beats = g->rows / plan->beat_rows;
      int64_t first = beats * part / parts * plan->beat_rows;
      int64_t rows = beats * (part + 1) / parts * plan->beat_rows - first;
      lines l = {g->strip_row, g->strip_rows, first, rows};
      add_load(b, b->fill, &l, 0, from, to - from);
      source s = {b->fill, g->strip_rows, first, 0, from, to - from};
      systole_instruction *matmul = add_matmul(b, &s, one.block, rows, first);
      token(&b->fills.at[b->fills.count - 1], matmul);
    }
    if (p < plan->ahead) {
      source s = {b->fill, g->strip_rows, 0, 0, from, to - from};
      add_matmul(b, &s, two.block, g->rows, plan->half_rows);
      behind = to;
    }
  }
  finish_group(b, &one, 0);
  source s = {b->fill, g->strip_rows, 0, 0, behind, count - behind};
  add_matmul(b, &s, two.block, g->rows, plan->half_rows);
  finish_group(b, &two, 1);
  int64_t last = b->matmuls.count - 1;
  b->region_user[b->fill % plan->ring] = last;
  if (two.end == b->spec->n_blocks) b->steps[last].last_of_fill = b->fill;
}

/* Rows of the parts in which the last column block of all is computed: halves of halves,
 * so that little is left to store when the array has finished, but no part so short that
 * its tiles come too late. Returns how many; 1 when it stays whole. */
static int64_t split_tail(const systole_plan *plan, const systole_geometry *geometry,
                          int64_t rows, int64_t parts[kMaxParts]) {
  int64_t dim = plan->dim, axi = geometry->axi_bytes;
  int64_t tile_rows = dim > axi ? dim * dim / axi : dim; /* in which a tile arrives */
  int64_t least = tile_rows < kLeastPart ? kLeastPart : tile_rows, count = 0;
  while (count < kMaxParts - 1) {
    int64_t part = systole_ceil_div(rows / 2, plan->beat_rows) * plan->beat_rows;
    if (rows - part < least) break;
    parts[count++] = part;
    rows -= part;
  }
  parts[count++] = rows;
  return count;
}

/* Rows of the parts in which the very first column block is computed. */
static int64_t cut_evenly(const systole_plan *plan, int64_t rows,
                          int64_t parts[kMaxParts]) {
  int64_t count = plan->first_parts < kMaxParts ? plan->first_parts : kMaxParts;
  int64_t beats = rows / plan->beat_rows;
  for (int64_t p = 0; p < count; p++) {
    parts[p] = (beats * (p + 1) / count - beats * p / count) * plan->beat_rows;
  }
  return count;
}

/* Column blocks of the next group when `left` remain. The last groups of all become
 * halves of halves where K comes in chunks: a group leaves only when it is complete, and
 * the smaller the last one is, the less is left to store when the array has finished.
 * Each reads A once more, so the port must be as wide as a row. */
static int64_t group_size(const systole_plan *plan, int64_t left, int shrinks,
                          int small_first) {
  /* While the last group of a strip works, the next strip's chunks must come: it is a
   * whole one, and what is left over goes first. */
  if (small_first && left % plan->group != 0) return left % plan->group;
  if (left > plan->group) return plan->group;
  return shrinks && left > 1 ? left - left / 2 : left;
}

/* Writes all sequences down, in the array's order of work. */
static void lay_out(builder *b, const systole_geometry *geometry) {
  const systole_plan *plan = b->plan;
  int64_t n_blocks = b->spec->n_blocks;
  for (int64_t strip = 0; strip < plan->strips; strip++) {
    group g = {0};
    g.strip_row = systole_plan_row(plan, b->spec, strip);
    g.strip_rows = systole_plan_row(plan, b->spec, strip + 1) - g.strip_row;
    int last_strip = strip == plan->strips - 1;
    int shrinks = last_strip && plan->chunks > 1 &&
                  (plan->rolling || geometry->axi_bytes >= plan->dim);
    int64_t first_fill = b->fill + 1;
    for (g.block = 0; g.block < n_blocks; g.block = g.end) {
      int small_first = plan->rolling && strip > 0 && !last_strip && g.block == 0;
      g.end = g.block + group_size(plan, n_blocks - g.block, shrinks, small_first);
      g.fill = first_fill;
      int64_t parts[kMaxParts] = {g.strip_rows}, count = 1;
      /* The first fill comes in pieces along K, and short rows leave together: neither is
       * cut by rows as well. */
      int splits = last_strip && g.end == n_blocks && g.end - g.block == 1 &&
                   plan->chunks == 1 && plan->store_group == 1 &&
                   (g.block > 0 || strip > 0);
      if (splits) count = split_tail(plan, geometry, g.strip_rows, parts);
      g.loads_part = plan->first_parts > 1 && strip == 0 && g.block == 0;
      if (g.loads_part) count = cut_evenly(plan, g.strip_rows, parts);
      if (plan->ahead > 0 && strip == 0 && g.block == 0) {
        g.rows = g.strip_rows;
        g.first_row = 0;
        add_first_two(b, &g);
        g.end = 2;
        continue;
      }
      g.first_row = 0;
      for (int64_t part = 0; part < count; part++) {
        g.rows = parts[part];
        g.begins_strip = g.block == 0 && part == 0;
        g.ends_strip = g.end == n_blocks && part == count - 1;
        add_group(b, &g);
        g.first_row += g.rows;
      }
    }
  }
  while (b->old.block < b->old.end) retire_next(b);
}

/* ---- the order --------------------------------------------------------------------- */

static void emit(systole_program *program, const systole_instruction *instruction) {
  program->instructions[program->count++] = *instruction;
}

static void put_in_order(systole_program *program, const builder *b) {
  int64_t fills = 0, feeds = 0, retires = 0, stores = 0;
  for (int64_t i = 0; i < b->matmuls.count; i++) {
    const step *s = &b->steps[i];
    /* Chunks that roll come a few ahead. */
    while (b->plan->rolling && fills < b->fills.count && fills <= s->fill)
      emit(program, &b->fills.at[fills++]);
    /* The first fill comes in pieces, one ahead of the MATMUL that reads it. */
    if (fills == 0) emit(program, &b->fills.at[fills++]);
    /* The weight unit runs ahead of the array, as far as its queue reaches: its FIFO
     * holds it back when it must. One more, and the queue could be full of what waits for
     * this MATMUL. */
    int64_t ahead = s->feed + SYSTOLE_QUEUE_DEPTH;
    while (feeds < b->feeds.count && feeds < ahead) emit(program, &b->feeds.at[feeds++]);
    while (fills < b->pieces && fills <= i + kLoadsAhead)
      emit(program, &b->fills.at[fills++]);
    emit(program, &b->matmuls.at[i]);
    /* Then the other regions; each later fill right behind the last MATMUL that reads
     * what it will replace. */
    int64_t last_fill = kNone;
    if (i >= b->pieces - 1) last_fill = b->plan->ring - 1;
    if (b->plan->rolling && last_fill > s->fill + kLoadsAhead)
      last_fill = s->fill + kLoadsAhead;
    if (s->last_of_fill != kNone) last_fill = s->last_of_fill + b->plan->ring;
    while (last_fill != kNone && fills < b->fills.count &&
           fills - (b->pieces - 1) <= last_fill) {
      emit(program, &b->fills.at[fills++]);
    }
    for (; retires < b->activates.count && b->retires[retires].after == i; retires++) {
      const retire *r = &b->retires[retires];
      while (feeds <= r->feed) emit(program, &b->feeds.at[feeds++]);
      emit(program, &b->activates.at[retires]);
      while (stores <= r->store) emit(program, &b->stores.at[stores++]);
    }
  }
  systole_instruction end = systole_instruction_make(SYSTOLE_OP_END, 0, 0);
  emit(program, &end);
}

systole_status systole_schedule(systole_program *program,
                                const systole_geometry *geometry,
                                const systole_weights_layout *weights) {
  const systole_plan *plan = &program->plan;
  builder b = {0};
  b.weights = weights;
  b.spec = &program->spec;
  b.plan = plan;
  b.params = b.spec->requantise || b.spec->bias;
  b.resident = b.params && b.spec->n_blocks <= 2;
  b.pieces = plan->pieces * plan->first_parts;
  if (plan->ahead > 0) b.pieces += kLastParts - 1;
  b.feed_end = b.fill = kNone;
  for (int i = 0; i < 2; i++) {
    b.half_user[i] = b.bank_user[i] = b.bank_feed[i] = b.area_user[i] = kNone;
  }

  /* At most: the steps of the plan, the pieces of the first, the parts of the last. */
  int64_t steps = plan->steps + b.pieces + plan->ahead + kMaxParts;
  struct {
    sequence *sequence;
    int64_t room;
  } rooms[] = {{&b.matmuls, steps},
               {&b.fills, steps},
               {&b.feeds, b.params ? 2 * steps : steps},
               {&b.activates, steps},
               {&b.stores, steps}};
  enum { kRooms = sizeof rooms / sizeof rooms[0] };
  systole_status status = SYSTOLE_OK;
  for (int i = 0; i < kRooms && status == SYSTOLE_OK; i++) {
    void *memory = NULL;
    status = systole_allocate(&memory, (uint64_t)rooms[i].room,
                              sizeof(systole_instruction), "a program");
    rooms[i].sequence->at = memory;
    rooms[i].sequence->room = rooms[i].room;
  }
  void *steps_memory = NULL, *retires_memory = NULL, *out = NULL;
  if (status == SYSTOLE_OK) {
    status = systole_allocate(&steps_memory, (uint64_t)steps, sizeof(step), "a program");
  }
  if (status == SYSTOLE_OK) {
    status =
        systole_allocate(&retires_memory, (uint64_t)steps, sizeof(retire), "a program");
  }
  if (status != SYSTOLE_OK) goto done;
  b.steps = steps_memory;
  b.retires = retires_memory;

  lay_out(&b, geometry);
  int64_t total = b.matmuls.count + b.fills.count + b.feeds.count + b.activates.count +
                  b.stores.count + 1;
  status =
      systole_allocate(&out, (uint64_t)total, sizeof(systole_instruction), "a program");
  if (status != SYSTOLE_OK) goto done;
  program->instructions = out;
  put_in_order(program, &b);
  assert(program->count == total);

done:
  systole_release(retires_memory);
  systole_release(steps_memory);
  for (int i = 0; i < kRooms; i++) systole_release(rooms[i].sequence->at);
  return status;
}
