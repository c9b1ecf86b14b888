#include "program/plan.h"

#include "card/systole_isa.h"
#include "support/error.h"
#include "support/memory.h"

enum {
  /* Rows of a strip unless the array is larger. Short strips begin and end early; the
   * units take their next instruction while the last one's data are still on the way, so
   * that even a K of one block loses nothing by them (measured: 4096 x 16 x 16 at Dim 16
   * is at 97 % of what the store's port allows with 128, at 88 % with 1024). */
  kStripRows = 128,
  /* Rows that one STORE should carry when strips are shorter than that. */
  kStoreRows = 64,
  kMaxRing = 4,    /* more regions of whole strips than this hide no further latency */
  kMaxChunks = 14, /* that roll: regions are two more at the most */
  kMaxPieces = 32, /* LOADs of the very first fill */
  kPieceRows = 64, /* rows of one of them, at least about */
  /* Largest count of a 16-bit field. */
  kMaxCount = 65535
};

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t clamp64(int64_t value, int64_t low, int64_t high) {
  return max64(low, min64(value, high));
}

static int64_t round_up(int64_t value, int64_t step) {
  return systole_ceil_div(value, step) * step;
}

systole_status systole_weights_layout_make(systole_weights_layout *out, int dim,
                                           int axi_bytes, int64_t n, int64_t k) {
  systole_weights_layout layout = {0};
  layout.n = n;
  layout.k = k;
  layout.n_blocks = systole_ceil_div(n, dim);
  /* As few lanes as the blocks need, in whole beats of int32 results. */
  layout.columns = dim;
  if (layout.n_blocks > 0) {
    layout.columns =
        min64(dim, round_up(systole_ceil_div(n, layout.n_blocks), axi_bytes / 4));
    /* STORE's field of lanes is for arrays that RTL can be. */
    if (layout.columns >= 1 << SYSTOLE_COPY_LAST_LANES_BITS) layout.columns = dim;
  }
  /* Models go beyond the sizes that the field can tell. */
  if (layout.columns >= 1 << SYSTOLE_COPY_RAW_LANES_BITS) layout.columns = dim;
  layout.k_blocks = systole_ceil_div(k, dim);
  layout.params_block_bytes =
      systole_round_up((uint64_t)dim * SYSTOLE_PARAM_BYTES, SYSTOLE_BLOCK_ALIGN);
  uint64_t params;
  /* Device offsets have 48 bits; 2^46 leaves room for the sums. */
  int fits = systole_multiply(&layout.block_bytes, (uint64_t)layout.k_blocks,
                              (uint64_t)dim * (uint64_t)dim) &&
             layout.block_bytes < (uint64_t)1 << 46;
  layout.block_bytes = systole_round_up(layout.block_bytes, SYSTOLE_BLOCK_ALIGN);
  fits =
      fits &&
      systole_multiply(&layout.params_offset, (uint64_t)layout.n_blocks,
                       layout.block_bytes) &&
      systole_multiply(&params, (uint64_t)layout.n_blocks, layout.params_block_bytes) &&
      systole_add(&layout.bytes, layout.params_offset, params) &&
      layout.bytes < (uint64_t)1 << 46;
  if (!fits) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "weights of K = %lld by N = %lld are more than a device can address",
        (long long)k, (long long)n);
  }
  *out = layout;
  return SYSTOLE_OK;
}

/* Rows of C and A in device memory. */
static systole_status place(systole_plan *plan, const systole_weights_layout *weights,
                            const systole_gemm_spec *spec) {
  uint64_t row_bytes = systole_plan_row_bytes(plan, spec);
  uint64_t a_block;
  int fits =
      systole_multiply(&a_block, (uint64_t)plan->block_rows, (uint64_t)plan->dim) &&
      systole_multiply(&plan->a_bytes, a_block, (uint64_t)weights->k_blocks) &&
      systole_multiply(&plan->c_block_bytes, (uint64_t)plan->block_rows, row_bytes) &&
      systole_multiply(&plan->c_bytes, plan->c_block_bytes, (uint64_t)spec->n_blocks) &&
      plan->a_bytes < (uint64_t)1 << 46 && plan->c_bytes < (uint64_t)1 << 46;
  if (!fits) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "a product of M = %lld, N = %lld, K = %lld is more than a device can "
        "address in one run",
        (long long)spec->m, (long long)weights->n, (long long)weights->k);
  }
  plan->c_offset = systole_round_up(plan->a_bytes, SYSTOLE_BLOCK_ALIGN);
  plan->bytes = plan->c_offset + plan->c_bytes;
  return SYSTOLE_OK;
}

/* Strips for which all of K lies in the unified buffer: their rows, or 0 when they would
 * be shorter than `worth`. */
static int64_t whole_k_strip(int64_t wanted, int64_t worth, int64_t m, int64_t granule,
                             int64_t ub_rows, int64_t k_blocks, int64_t result_areas) {
  /* A single strip needs no second region. */
  if (m <= wanted && m <= ub_rows / (k_blocks + result_areas)) return m;
  int64_t fits = ub_rows / (2 * k_blocks + result_areas);
  int64_t strip = min64(wanted, fits) / granule * granule;
  return strip >= min64(wanted, worth) ? strip : 0;
}

/* Computing of the first column block starts when the first of n equal pieces is there,
 * and keeps up with the others: LOADs follow each other without a gap. */
static int64_t usual_pieces(int64_t rows, int64_t k_blocks) {
  return clamp64(rows * k_blocks / kPieceRows, 1, min64(kMaxPieces, k_blocks));
}

/* Chunks that roll. Returns 0 when a strip of all K does not fit. */
static int roll(systole_plan *plan, int64_t strip, int64_t most, int64_t tile_step,
                int64_t ub_rows, int64_t k_blocks, int64_t n_blocks, int64_t result_areas,
                int64_t most_blocks) {
  int64_t room = ub_rows - result_areas * strip;
  plan->rolling = 1;
  plan->store_group = 1;
  plan->strip = strip;
  plan->group = clamp64(min64(most / strip, most_blocks), 1, n_blocks);
  plan->chunk = round_up(systole_ceil_div(k_blocks, kMaxChunks), tile_step);
  int64_t chunks = systole_ceil_div(k_blocks, plan->chunk);
  return chunks > 1 && room / (strip * plan->chunk) >= chunks;
}

/* Rows of the first strip where it may be so short, else 0; the others become longer. */
static int64_t shorter_first(systole_plan *plan, int64_t rows, int64_t ub_rows,
                             int64_t most, int64_t result_areas) {
  int64_t granules = rows / plan->granule;
  if (granules == 0 || plan->chunks > 1 || plan->group > 1 || plan->strips < 2) return 0;
  int64_t others =
      systole_ceil_div(plan->granules - granules, plan->strips - 1) * plan->granule;
  if (others <= granules * plan->granule || others > most ||
      others * (2 * plan->chunk + result_areas) > ub_rows) {
    return 0;
  }
  plan->strip = others;
  return granules * plan->granule;
}

systole_status systole_plan_make(systole_plan *out, const systole_geometry *geometry,
                                 const systole_weights_layout *weights,
                                 const systole_gemm_spec *spec) {
  const systole_plan_choice usual = {0};
  return systole_plan_choose(out, geometry, weights, spec, &usual);
}

systole_status systole_plan_choose(systole_plan *out, const systole_geometry *geometry,
                                   const systole_weights_layout *weights,
                                   const systole_gemm_spec *spec,
                                   const systole_plan_choice *choice) {
  systole_plan plan = {0};
  int64_t dim = geometry->dim, axi = geometry->axi_bytes, ub_rows = geometry->ub_rows;
  int64_t k_blocks = weights->k_blocks, n_blocks = spec->n_blocks;
  int params = spec->requantise || spec->bias;
  plan.dim = geometry->dim;
  plan.half_rows = geometry->acc_rows / 2;
  plan.beat_rows = max64(1, axi / dim);
  int64_t align_rows = max64(plan.beat_rows, SYSTOLE_BLOCK_ALIGN / dim);
  /* Of A and of C, whose rows are whole beats. */
  plan.block_rows = round_up(spec->m, max64(align_rows, SYSTOLE_BLOCK_ALIGN / axi));
  plan.columns = weights->columns;
  systole_status status = place(&plan, weights, spec);
  if (status != SYSTOLE_OK) return status;

  /* Rows in which the memory delivers one tile of weights. */
  int64_t weight_rows = dim * max64(1, dim / axi);
  /* Tiles that make a whole beat (1 unless the array is tiny). */
  int64_t tile_step = max64(1, axi / (dim * dim));
  int64_t most = min64(plan.half_rows, kMaxCount) / plan.beat_rows * plan.beat_rows;
  int64_t result_areas = spec->requantise ? 2 : 0;
  if (most == 0 || ub_rows < (2 * tile_step + result_areas) * plan.beat_rows) {
    return systole_fail(
        SYSTOLE_ERR_UNSUPPORTED,
        "a device with %u unified-buffer rows and %u accumulator rows of %d "
        "columns is too small for any product",
        geometry->ub_rows, geometry->acc_rows, geometry->dim);
  }

  int64_t m = round_up(spec->m, plan.beat_rows);
  int64_t wanted =
      choice->rows > 0 ? min64(choice->rows, m) : max64(2 * weight_rows, kStripRows);
  int64_t worth = choice->rows > 0 ? 1 : 2 * weight_rows;
  /* Even strips, up to half as long again, rather than a short last one: a strip with
   * fewer rows than the array leaves it waiting for each tile. */
  wanted = systole_ceil_div(m, max64(1, (m + wanted / 2) / wanted));
  wanted = min64(round_up(wanted, min64(align_rows, most)), most);
  plan.granule = wanted >= align_rows ? align_rows : plan.beat_rows;
  wanted = wanted / plan.granule * plan.granule;

  /* Short int8 strips share a result area and a STORE; the areas then hold more rows. */
  int64_t together =
      clamp64(kStoreRows / min64(wanted, m), 1, systole_ceil_div(n_blocks, 4));
  plan.store_group = spec->requantise ? together : 1;
  plan.group = 1;
  plan.strip = whole_k_strip(wanted, worth, m, plan.granule, ub_rows, k_blocks,
                             result_areas * plan.store_group);
  if (choice->rolling) {
    if (!roll(&plan, min64(wanted, m), most, tile_step, ub_rows, k_blocks, n_blocks,
              result_areas, choice->rolling)) {
      return systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                          "chunks of K = %lld for %lld rows do not roll",
                          (long long)weights->k, (long long)wanted);
    }
  } else if (plan.strip > 0 && k_blocks <= kMaxCount) {
    plan.chunk = k_blocks;
    /* Rows of several column blocks leave together, where no parameters stand between. */
    if (!params) plan.group = min64(together, plan.half_rows / plan.strip);
  } else {
    plan.store_group = 1;
    plan.strip = min64(wanted, m);
    while (plan.strip > plan.beat_rows &&
           plan.strip * (2 * tile_step + result_areas) > ub_rows) {
      plan.granule = plan.beat_rows;
      plan.strip =
          max64(plan.beat_rows, plan.strip / 2 / plan.beat_rows * plan.beat_rows);
    }
    plan.group = clamp64(most / plan.strip, 1, n_blocks);
    plan.chunk = (ub_rows - result_areas * plan.strip) / (2 * plan.strip);
    plan.chunk = min64(plan.chunk, kMaxCount) / tile_step * tile_step;
    plan.chunk = min64(plan.chunk, k_blocks);
  }
  plan.chunks = systole_ceil_div(k_blocks, plan.chunk);
  plan.chunk = round_up(systole_ceil_div(k_blocks, plan.chunks), tile_step);
  plan.chunk = min64(plan.chunk, k_blocks);
  plan.strips = systole_ceil_div(m, plan.strip);
  plan.granules = systole_ceil_div(m, plan.granule);
  plan.strip =
      min64(plan.strip, systole_ceil_div(plan.granules, plan.strips) * plan.granule);
  plan.first_rows = shorter_first(&plan, choice->first_rows, ub_rows, most, result_areas);

  int64_t groups = systole_ceil_div(n_blocks, plan.group);
  int64_t fills = plan.strips * plan.chunks;
  if (plan.chunks > 1 && !plan.rolling) fills *= groups;
  plan.region = plan.strip * plan.chunk;
  plan.result_rows = plan.strip * plan.store_group;
  int64_t room = ub_rows - result_areas * plan.result_rows;
  plan.ring = clamp64(room / plan.region, 1, plan.rolling ? plan.chunks + 2 : kMaxRing);
  plan.ring = min64(fills, plan.ring);
  plan.pieces = choice->pieces > 0 ? min64(choice->pieces, min64(kMaxPieces, plan.chunk))
                                   : usual_pieces(plan.strip, plan.chunk);
  if (plan.rolling) plan.pieces = 1;
  plan.first_parts = 1;
  if (choice->first_parts > 1 && plan.chunks == 1 && plan.group == 1 &&
      plan.store_group == 1 && plan.strips * n_blocks > 1) {
    /* Strips differ by a granule: the first one's rows count. */
    plan.first_parts = clamp64(systole_plan_row(&plan, spec, 1) / plan.beat_rows, 1,
                               choice->first_parts);
  }
  if (choice->ahead > 0 && plan.first_parts == 1 && plan.chunks == 1 && plan.group == 1 &&
      plan.store_group == 1 && n_blocks > 1 && !params) {
    plan.ahead = min64(choice->ahead, plan.pieces - 1);
  }
  plan.result = plan.ring * plan.region;
  plan.steps = plan.strips * n_blocks * plan.chunks;
  *out = plan;
  return SYSTOLE_OK;
}

double systole_plan_bound(const systole_plan *plan, const systole_geometry *geometry,
                          const systole_weights_layout *weights,
                          const systole_gemm_spec *spec,
                          const systole_memory_timing *memory) {
  const systole_memory_timing gmem1 = systole_memory_timing_gmem1(memory);
  double dim = plan->dim, rate = systole_memory_rate(memory, geometry->axi_bytes);
  double weight_rate = systole_memory_rate(&gmem1, geometry->axi_bytes);
  double rows = (double)plan->granules * (double)plan->granule;
  double k = (double)weights->k_blocks, n = (double)spec->n_blocks;
  double groups = (double)systole_ceil_div(spec->n_blocks, plan->group);
  double passes = plan->chunks > 1 && !plan->rolling ? groups : 1;
  double steps = (double)plan->strips * n * k;
  /* Each tile at least as long as it shifts in; memory apart. */
  double array = rows * n * k > steps * dim ? rows * n * k : steps * dim;
  double loads = passes * rows * k * dim / rate;
  double tiles = steps * dim * dim / weight_rate / geometry->weight_ports;
  double stores = rows * n * (double)systole_plan_row_bytes(plan, spec) / rate;
  double most = array > loads ? array : loads;
  if (tiles > most) most = tiles;
  return stores > most ? stores : most;
}

uint64_t systole_plan_row_bytes(const systole_plan *plan, const systole_gemm_spec *spec) {
  return (uint64_t)(spec->requantise ? plan->dim
                                     : plan->columns * (int64_t)sizeof(int32_t));
}

int64_t systole_plan_row(const systole_plan *plan, const systole_gemm_spec *spec,
                         int64_t strip) {
  int64_t row = plan->granules * strip / plan->strips * plan->granule;
  if (plan->first_rows > 0) {
    int64_t first = plan->first_rows / plan->granule, others = plan->granules - first;
    row = strip == 0
              ? 0
              : (first + others * (strip - 1) / (plan->strips - 1)) * plan->granule;
  }
  int64_t end = round_up(spec->m, plan->beat_rows);
  return min64(row, end);
}
