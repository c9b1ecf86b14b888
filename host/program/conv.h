/* A convolution as one command stream: how its operands lie in device memory, how it is
 * cut, packed and scheduled.
 *
 * The array multiplies rows of Dim channels of one pixel by tiles of weights. MATMUL
 * walks over the output's columns and lines (its row loops) and over the kernel's
 * columns, lines and channel blocks (its reduction loops), so that a window is read where
 * the image lies in the unified buffer; LOAD writes the halo around it. What MATMUL
 * cannot express is taken out beforehand, by choosing what a pixel of device memory is:
 *
 *   fold   A packed pixel may hold the input pixels of fold_height x fold_width taps, so
 *          that few channels still fill the array's lanes (the stem of a network has 3).
 *          Pixels are then `unit` input lines and columns apart, which leaves out what a
 *          stride skips, and the padding is packed with them.
 *   bundle Several groups whose channels share lanes and columns; their weights are
 *          block-diagonal.
 *   flat   A kernel of one tap, without stride and padding, sees no image: all pixels of
 *          the batch are one column of rows, a matrix product.
 */
#ifndef SYSTOLE_PROGRAM_CONV_H
#define SYSTOLE_PROGRAM_CONV_H

#include <stdint.h>

#include "engine/conv.h"
#include "program/instruction.h"

typedef struct systole_conv_layout {
  int dim;
  /* what a packed pixel is */
  int64_t fold_height, fold_width; /* taps in its lanes */
  int64_t unit_height, unit_width; /* input lines and columns from pixel to pixel */
  int packed_padding;              /* 1: pixels begin at the padding, not at the image */
  int64_t bundle, bundles;         /* groups that share lanes; how many such bundles */
  int64_t lanes;                   /* channels of a packed pixel, per bundle */
  int64_t c_blocks, o_blocks; /* blocks of dim input and output channels, per bundle */

  /* the image in device memory */
  int flat;
  int64_t images, lines, columns; /* of packed pixels; flat: 1, all pixels, 1 */
  int64_t line_rows;              /* rows from line to line: whole memory beats */
  int64_t block_rows;             /* rows of a channel block */
  uint64_t input_bytes;

  /* the kernel that is left to the array */
  int64_t taps_height, taps_width;
  int64_t stride_height, stride_width; /* packed pixels from output to output */
  int64_t hop_height, hop_width;       /* from tap to tap */
  int64_t pad_top, pad_left;           /* lines and columns that LOAD fills */

  /* results */
  int64_t conv_lines, conv_columns; /* per image, before the pool */
  int64_t out_lines, out_columns;   /* after it */
  int64_t out_line_rows, out_block_rows;
  uint64_t residual_offset, residual_bytes; /* from the activations pointer */
  uint64_t output_offset, output_bytes, bytes;
  int element; /* bytes of a result: 1 or 4 */

  /* weights, from the weights pointer */
  uint64_t tiles_bytes; /* of one block of output channels */
  uint64_t params_offset, params_block_bytes, weights_bytes;
  int params; /* column parameters are used */
  int bias;   /* ACTIVATE adds one */

  /* From tile to tile, where memory is slower than its port; 0: it is not. For the plan;
   * systole_conv_layout_make leaves it 0. */
  double tile_cycles;
} systole_conv_layout;

/* Chooses fold and bundle: the fewest tiles, and among those the smallest image. A folded
 * image is never larger than the plain one whose lanes it fills, unless `whole_kernel`
 * asks for all taps in the lanes, which needs no window in the unified buffer at all.
 * SYSTOLE_ERR_ARGUMENT when device offsets would overflow. */
systole_status systole_conv_layout_make(systole_conv_layout *out,
                                        const systole_geometry *geometry,
                                        const systole_conv_call *call, int whole_kernel);

/* How one run goes over it. A strip is a rectangle of outputs of one image. */
typedef struct systole_conv_plan {
  int64_t strip_lines, strip_columns; /* of outputs, at most */
  int64_t line_step, column_step;     /* strips begin at multiples of these */
  int64_t strips_down, strips_across; /* per image */
  int64_t chunk, chunks; /* channel blocks that are in the buffer at a time */
  int64_t group;         /* output blocks that share an accumulator half */
  int64_t half_rows;
  int64_t beat_rows;           /* rows of a memory beat */
  int64_t ring, region;        /* regions of the unified buffer, and rows of each */
  int64_t store_group;         /* int8 blocks that leave in one STORE */
  int64_t result, result_rows; /* two areas */
  int64_t residual, residual_rows, residual_areas;
  int64_t steps; /* MATMULs */
} systole_conv_plan;

/* SYSTOLE_ERR_UNSUPPORTED when no strip fits the buffers. */
systole_status systole_conv_plan_make(systole_conv_plan *out,
                                      const systole_geometry *geometry,
                                      const systole_conv_call *call,
                                      const systole_conv_layout *layout);

/* One strip: outputs, the sums they need, and the pixels those need. */
typedef struct systole_conv_strip {
  int64_t out_y, out_x, out_lines, out_columns;
  int64_t y, x, lines, columns; /* of the convolution */
  int64_t window_y, window_x;   /* of the first pixel, in the image; may be negative */
  int64_t window_lines, window_columns; /* pixels in the unified buffer, halo included */
  int64_t lead; /* columns before the first that is read: a beat may begin earlier */
} systole_conv_strip;

systole_conv_strip systole_conv_strip_at(const systole_conv_call *call,
                                         const systole_conv_layout *layout,
                                         const systole_conv_plan *plan, int64_t down,
                                         int64_t across);

typedef struct systole_conv_program {
  systole_conv_plan plan;
  systole_instruction *instructions;
  uint32_t count;
} systole_conv_program;

/* Plans, schedules and proves. Errors as systole_conv_plan_make, SYSTOLE_ERR_ARGUMENT for
 * more than SYSTOLE_PROGRAM_MAX_STEPS, SYSTOLE_ERR_INTERNAL when the proof fails. */
systole_status systole_conv_program_make(systole_conv_program **out,
                                         const systole_geometry *geometry,
                                         const systole_conv_call *call,
                                         const systole_conv_layout *layout);
void systole_conv_program_free(systole_conv_program *program);

/* Fills instructions and count from the plan. */
systole_status systole_conv_schedule(systole_conv_program *program,
                                     const systole_geometry *geometry,
                                     const systole_conv_call *call,
                                     const systole_conv_layout *layout);

/* Writes channel blocks first ... first + count - 1 (of all bundles) of the image, or of
 * the residual; reads those of the result. Blocks are block_rows x dim elements. */
systole_status systole_conv_pack_input(uint8_t *out, const systole_conv_call *call,
                                       const systole_conv_layout *layout, int64_t first,
                                       int64_t count);
void systole_conv_pack_residual(uint8_t *out, const systole_conv_call *call,
                                const systole_conv_layout *layout, int64_t first,
                                int64_t count);
void systole_conv_unpack_output(const systole_conv_call *call,
                                const systole_conv_layout *layout, const uint8_t *blocks,
                                int64_t first, int64_t count);

/* Tiles of output blocks first ... first + count - 1 (of all bundles). */
systole_status systole_conv_pack_weights(uint8_t *out, const systole_conv_call *call,
                                         const systole_conv_layout *layout, int64_t first,
                                         int64_t count);
/* All column parameters, the input's zero point folded into the bias. */
systole_status systole_conv_pack_params(uint8_t *out, const systole_conv_call *call,
                                        const systole_conv_layout *layout);

#endif
