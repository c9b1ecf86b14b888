/* Generated from hw/rtl/systole_pkg.sv by scripts/gen_isa. Do not edit: change the
 * package, run scripts/gen_isa, and commit both.
 *
 * Instruction encoding, registers and codes that hardware and software agree on. A field
 * is given by SYSTOLE_..._LSB, its lowest bit in the 512 bits of a little-endian
 * instruction, and SYSTOLE_..._BITS, its width.
 */
#ifndef SYSTOLE_CARD_SYSTOLE_ISA_H
#define SYSTOLE_CARD_SYSTOLE_ISA_H

/* ---- Sizes ---- */
/** one instruction in device memory */
#define SYSTOLE_INSTRUCTION_BYTES 64
/** the same in bits */
#define SYSTOLE_INSTRUCTION_BITS 512
/** byte 0 of every instruction */
#define SYSTOLE_ISA_VERSION 1
/** timing of the units; see hw/README.md */
#define SYSTOLE_RTL_VERSION 3
/** units that own a queue and exchange tokens */
#define SYSTOLE_UNITS 5
/** a pair of units holds at most 63 unused tokens */
#define SYSTOLE_TOKEN_BITS 6
/** instructions that a unit's queue holds */
#define SYSTOLE_QUEUE_DEPTH 4
/** bytes; every block in device memory starts on this */
#define SYSTOLE_BLOCK_ALIGN 64
/** device memory of one column's parameters */
#define SYSTOLE_PARAM_BYTES 8
/** signed multiplier of a column and of the residual */
#define SYSTOLE_MULTIPLIER_BITS 17
/** right shift after the multiply, 0 ... 47 */
#define SYSTOLE_SHIFT_BITS 6
/** larger shifts are refused */
#define SYSTOLE_MAX_SHIFT 47

/* ---- Units (bit number in the wait and give masks) ---- */
/** device memory to unified buffer */
#define SYSTOLE_UNIT_LOAD 0
/** device memory to weight FIFO and column parameters */
#define SYSTOLE_UNIT_WEIGHT 1
/** unified buffer through the array to the accumulators */
#define SYSTOLE_UNIT_ARRAY 2
/** accumulators to unified buffer or raw results */
#define SYSTOLE_UNIT_ACTIVATE 3
/** unified buffer or raw results to device memory */
#define SYSTOLE_UNIT_STORE 4
/** instruction fetch (in error reports only) */
#define SYSTOLE_UNIT_FETCH 5
/** instruction check and queues (in error reports only) */
#define SYSTOLE_UNIT_DISPATCH 6

/* ---- Opcodes ---- */
/** 2-D copy into the unified buffer */
#define SYSTOLE_OP_LOAD 1
/** tiles into the weight FIFO, or one block of column parameters */
#define SYSTOLE_OP_WEIGHTS 2
/** rows through the array */
#define SYSTOLE_OP_MATMUL 3
/** accumulators to int8 or raw int32 */
#define SYSTOLE_OP_ACTIVATE 4
/** 2-D copy out */
#define SYSTOLE_OP_STORE 5
/** waits for all units, raises done */
#define SYSTOLE_OP_END 6

/* ---- Fields of every instruction ---- */
/** IsaVersion */
#define SYSTOLE_VERSION_LSB 0
#define SYSTOLE_VERSION_BITS 8
/** see Opcodes */
#define SYSTOLE_OPCODE_LSB 8
#define SYSTOLE_OPCODE_BITS 8
/** units from which one token each is taken before the start (END: reserved) */
#define SYSTOLE_WAIT_LSB 16
#define SYSTOLE_WAIT_BITS 5
/** units to which one token each is given at the end (END: reserved) */
#define SYSTOLE_GIVE_LSB 24
#define SYSTOLE_GIVE_BITS 5

/* ---- Fields of LOAD and STORE (for b < blocks, l < lines: rows contiguous rows) ---- */
/** first unified-buffer row */
#define SYSTOLE_COPY_UB_ROW_LSB 32
#define SYSTOLE_COPY_UB_ROW_BITS 24
/** STORE: 1 takes raw int32 rows from the activation unit */
#define SYSTOLE_COPY_RAW_LSB 56
#define SYSTOLE_COPY_RAW_BITS 1
/** bytes from the activations pointer */
#define SYSTOLE_COPY_OFFSET_LSB 64
#define SYSTOLE_COPY_OFFSET_BITS 48
/** rows of a line, contiguous in device memory */
#define SYSTOLE_COPY_ROWS_LSB 128
#define SYSTOLE_COPY_ROWS_BITS 16
/** lines of a block */
#define SYSTOLE_COPY_LINES_LSB 144
#define SYSTOLE_COPY_LINES_BITS 16
/** blocks */
#define SYSTOLE_COPY_BLOCKS_LSB 160
#define SYSTOLE_COPY_BLOCKS_BITS 16
/** LOAD: rows of the fill byte before each line */
#define SYSTOLE_COPY_FILL_BEFORE_LSB 176
#define SYSTOLE_COPY_FILL_BEFORE_BITS 16
/** LOAD: rows of the fill byte after each line */
#define SYSTOLE_COPY_FILL_AFTER_LSB 192
#define SYSTOLE_COPY_FILL_AFTER_BITS 16
/** LOAD: the fill byte, usually the zero point */
#define SYSTOLE_COPY_FILL_BYTE_LSB 208
#define SYSTOLE_COPY_FILL_BYTE_BITS 8
/** bytes from line to line in device memory */
#define SYSTOLE_COPY_MEM_LINE_STRIDE_LSB 224
#define SYSTOLE_COPY_MEM_LINE_STRIDE_BITS 32
/** bytes from block to block in device memory */
#define SYSTOLE_COPY_MEM_BLOCK_STRIDE_LSB 256
#define SYSTOLE_COPY_MEM_BLOCK_STRIDE_BITS 48
/** rows from line to line in the unified buffer */
#define SYSTOLE_COPY_UB_LINE_STRIDE_LSB 320
#define SYSTOLE_COPY_UB_LINE_STRIDE_BITS 24
/** rows from block to block in the unified buffer */
#define SYSTOLE_COPY_UB_BLOCK_STRIDE_LSB 352
#define SYSTOLE_COPY_UB_BLOCK_STRIDE_BITS 24
/** LOAD: valid lanes of the last block, the others become zero; 0 means all */
#define SYSTOLE_COPY_LAST_LANES_LSB 384
#define SYSTOLE_COPY_LAST_LANES_BITS 9
/** raw STORE: lanes of every row that are stored, whole beats; 0 means all */
#define SYSTOLE_COPY_RAW_LANES_LSB 400
#define SYSTOLE_COPY_RAW_LANES_BITS 9

/* ---- Fields of WEIGHTS ---- */
/** 0: tiles; 1: one block of column parameters */
#define SYSTOLE_WEIGHTS_PARAMS_LSB 32
#define SYSTOLE_WEIGHTS_PARAMS_BITS 1
/** parameter bank that is written (params only) */
#define SYSTOLE_WEIGHTS_BANK_LSB 33
#define SYSTOLE_WEIGHTS_BANK_BITS 1
/** bytes from the weights pointer */
#define SYSTOLE_WEIGHTS_OFFSET_LSB 64
#define SYSTOLE_WEIGHTS_OFFSET_BITS 48
/** tiles of Dim x Dim bytes, row k first (tiles only) */
#define SYSTOLE_WEIGHTS_TILES_LSB 128
#define SYSTOLE_WEIGHTS_TILES_BITS 24

/* ---- Fields of MATMUL (for each reduction step one weight tile; index 0 is the
 * innermost loop) ---- */
/** first unified-buffer row */
#define SYSTOLE_MATMUL_UB_ROW_LSB 32
#define SYSTOLE_MATMUL_UB_ROW_BITS 24
/** 1: the first reduction step adds too; 0: it overwrites */
#define SYSTOLE_MATMUL_ACCUMULATE_LSB 56
#define SYSTOLE_MATMUL_ACCUMULATE_BITS 1
/** first accumulator row; rows follow one another */
#define SYSTOLE_MATMUL_ACC_ROW_LSB 64
#define SYSTOLE_MATMUL_ACC_ROW_BITS 24
/** inner row loop */
#define SYSTOLE_MATMUL_ROWS0_LSB 96
#define SYSTOLE_MATMUL_ROWS0_BITS 16
/** outer row loop */
#define SYSTOLE_MATMUL_ROWS1_LSB 112
#define SYSTOLE_MATMUL_ROWS1_BITS 16
/** unified-buffer rows per step of the inner row loop */
#define SYSTOLE_MATMUL_ROW_STRIDE0_LSB 128
#define SYSTOLE_MATMUL_ROW_STRIDE0_BITS 24
/** unified-buffer rows per step of the outer row loop */
#define SYSTOLE_MATMUL_ROW_STRIDE1_LSB 160
#define SYSTOLE_MATMUL_ROW_STRIDE1_BITS 24
/** inner reduction loop */
#define SYSTOLE_MATMUL_RED0_LSB 192
#define SYSTOLE_MATMUL_RED0_BITS 16
/** middle reduction loop */
#define SYSTOLE_MATMUL_RED1_LSB 208
#define SYSTOLE_MATMUL_RED1_BITS 16
/** outer reduction loop */
#define SYSTOLE_MATMUL_RED2_LSB 224
#define SYSTOLE_MATMUL_RED2_BITS 16
/** unified-buffer rows per step of the inner reduction loop */
#define SYSTOLE_MATMUL_RED_STRIDE0_LSB 256
#define SYSTOLE_MATMUL_RED_STRIDE0_BITS 24
/** the same, middle */
#define SYSTOLE_MATMUL_RED_STRIDE1_LSB 288
#define SYSTOLE_MATMUL_RED_STRIDE1_BITS 24
/** the same, outer */
#define SYSTOLE_MATMUL_RED_STRIDE2_LSB 320
#define SYSTOLE_MATMUL_RED_STRIDE2_BITS 24

/* ---- Fields of ACTIVATE (rows0 x rows1 output rows) ---- */
/** first unified-buffer row of the int8 result */
#define SYSTOLE_ACTIVATE_UB_ROW_LSB 32
#define SYSTOLE_ACTIVATE_UB_ROW_BITS 24
/** first accumulator row (of the image, with a pool); rows follow one another */
#define SYSTOLE_ACTIVATE_ACC_ROW_LSB 64
#define SYSTOLE_ACTIVATE_ACC_ROW_BITS 24
/** inner loop of output rows */
#define SYSTOLE_ACTIVATE_ROWS0_LSB 96
#define SYSTOLE_ACTIVATE_ROWS0_BITS 16
/** outer loop of output rows */
#define SYSTOLE_ACTIVATE_ROWS1_LSB 112
#define SYSTOLE_ACTIVATE_ROWS1_BITS 16
/** unified-buffer rows per step of the inner loop */
#define SYSTOLE_ACTIVATE_UB_STRIDE0_LSB 128
#define SYSTOLE_ACTIVATE_UB_STRIDE0_BITS 24
/** unified-buffer rows per step of the outer loop */
#define SYSTOLE_ACTIVATE_UB_STRIDE1_LSB 160
#define SYSTOLE_ACTIVATE_UB_STRIDE1_BITS 24
/** 1: int32 rows to the store unit, nothing scaled */
#define SYSTOLE_ACTIVATE_RAW_LSB 192
#define SYSTOLE_ACTIVATE_RAW_BITS 1
/** column parameter bank */
#define SYSTOLE_ACTIVATE_BANK_LSB 193
#define SYSTOLE_ACTIVATE_BANK_BITS 1
/** 1: add the column's bias (wraps modulo 2^32) */
#define SYSTOLE_ACTIVATE_BIAS_LSB 194
#define SYSTOLE_ACTIVATE_BIAS_BITS 1
/** 1: add an int8 operand of the result's shape from the unified buffer (not raw) */
#define SYSTOLE_ACTIVATE_RESIDUAL_LSB 195
#define SYSTOLE_ACTIVATE_RESIDUAL_BITS 1
/** see Pool modes */
#define SYSTOLE_ACTIVATE_POOL_LSB 196
#define SYSTOLE_ACTIVATE_POOL_BITS 2
/** int8, added after the shift */
#define SYSTOLE_ACTIVATE_ZERO_POINT_LSB 224
#define SYSTOLE_ACTIVATE_ZERO_POINT_BITS 8
/** int8 */
#define SYSTOLE_ACTIVATE_CLAMP_LOW_LSB 232
#define SYSTOLE_ACTIVATE_CLAMP_LOW_BITS 8
/** int8 */
#define SYSTOLE_ACTIVATE_CLAMP_HIGH_LSB 240
#define SYSTOLE_ACTIVATE_CLAMP_HIGH_BITS 8
/** first unified-buffer row of the residual */
#define SYSTOLE_ACTIVATE_RES_ROW_LSB 256
#define SYSTOLE_ACTIVATE_RES_ROW_BITS 24
/** its inner stride */
#define SYSTOLE_ACTIVATE_RES_STRIDE0_LSB 288
#define SYSTOLE_ACTIVATE_RES_STRIDE0_BITS 24
/** its outer stride */
#define SYSTOLE_ACTIVATE_RES_STRIDE1_LSB 320
#define SYSTOLE_ACTIVATE_RES_STRIDE1_BITS 24
/** its multiplier, signed */
#define SYSTOLE_ACTIVATE_RES_MUL_LSB 352
#define SYSTOLE_ACTIVATE_RES_MUL_BITS 17
/** its zero point, int8, subtracted before the multiply */
#define SYSTOLE_ACTIVATE_RES_ZERO_LSB 376
#define SYSTOLE_ACTIVATE_RES_ZERO_BITS 8
/** pool window, 1 ... 15 */
#define SYSTOLE_ACTIVATE_POOL_HEIGHT_LSB 384
#define SYSTOLE_ACTIVATE_POOL_HEIGHT_BITS 4
#define SYSTOLE_ACTIVATE_POOL_WIDTH_LSB 388
#define SYSTOLE_ACTIVATE_POOL_WIDTH_BITS 4
#define SYSTOLE_ACTIVATE_POOL_STRIDE_H_LSB 392
#define SYSTOLE_ACTIVATE_POOL_STRIDE_H_BITS 4
#define SYSTOLE_ACTIVATE_POOL_STRIDE_W_LSB 396
#define SYSTOLE_ACTIVATE_POOL_STRIDE_W_BITS 4
/** rows above the image; they take no part in the maximum */
#define SYSTOLE_ACTIVATE_POOL_PAD_TOP_LSB 400
#define SYSTOLE_ACTIVATE_POOL_PAD_TOP_BITS 4
/** columns left of the image */
#define SYSTOLE_ACTIVATE_POOL_PAD_LEFT_LSB 404
#define SYSTOLE_ACTIVATE_POOL_PAD_LEFT_BITS 4
/** accumulator rows of one image line */
#define SYSTOLE_ACTIVATE_POOL_IN_WIDTH_LSB 416
#define SYSTOLE_ACTIVATE_POOL_IN_WIDTH_BITS 16
/** image lines in the accumulator half */
#define SYSTOLE_ACTIVATE_POOL_IN_HEIGHT_LSB 432
#define SYSTOLE_ACTIVATE_POOL_IN_HEIGHT_BITS 16

/* ---- Pool modes ---- */
/** one accumulator row, one output row */
#define SYSTOLE_POOL_NONE 0
/** maximum of the finished int8 values */
#define SYSTOLE_POOL_MAX 1
/** sum of accumulators (and biases) before the multiply, or raw */
#define SYSTOLE_POOL_AVERAGE 2

/* ---- Column parameters (ParamBytes a column, in column order) ---- */
/** int32 */
#define SYSTOLE_PARAM_BIAS_LSB 0
#define SYSTOLE_PARAM_BIAS_BITS 32
/** signed */
#define SYSTOLE_PARAM_MULTIPLIER_LSB 32
#define SYSTOLE_PARAM_MULTIPLIER_BITS 17
/** 0 ... MaxShift */
#define SYSTOLE_PARAM_SHIFT_LSB 49
#define SYSTOLE_PARAM_SHIFT_BITS 6

/* ---- Registers (byte offsets; read-only from RegIdentity on) ---- */
/** bit 0 start, 1 done (clears on read), 2 idle, 3 ready */
#define SYSTOLE_REG_CONTROL 0x00
/** bit 0: the interrupt pin follows the status below */
#define SYSTOLE_REG_INTERRUPT_ENABLE 0x04
/** bit 0: done, bit 1: ready */
#define SYSTOLE_REG_INTERRUPT_MASK 0x08
/** the same bits; writing 1 toggles */
#define SYSTOLE_REG_INTERRUPT_STATUS 0x0C
/** 64-bit address of the first instruction */
#define SYSTOLE_REG_PROGRAM 0x10
/** 64-bit base of the weights */
#define SYSTOLE_REG_WEIGHTS 0x18
/** 64-bit base of activations and results */
#define SYSTOLE_REG_ACTIVATIONS 0x20
/** number of instructions, END included */
#define SYSTOLE_REG_INSTRUCTIONS 0x28
/** IdentityValue */
#define SYSTOLE_REG_IDENTITY 0x40
/** IsaVersion, RtlVersion << 8 */
#define SYSTOLE_REG_VERSION 0x44
/** log2 Dim, log2 AxiBytes << 8, WeightPorts << 16, flat array << 24 */
#define SYSTOLE_REG_GEOMETRY 0x48
/** rows of Dim bytes */
#define SYSTOLE_REG_UB_ROWS 0x4C
/** rows of Dim int32, both halves together */
#define SYSTOLE_REG_ACC_ROWS 0x50
/** Dim x Dim tiles in the weight FIFO */
#define SYSTOLE_REG_WEIGHT_TILES 0x54
/** see Feature bits */
#define SYSTOLE_REG_FEATURES 0x58
/** cycles without progress that end a run */
#define SYSTOLE_REG_WATCHDOG 0x5C
/** see Errors; unit << 8 */
#define SYSTOLE_REG_ERROR_CODE 0x60
/** index of the failing instruction */
#define SYSTOLE_REG_ERROR_INDEX 0x64
/** see Errors */
#define SYSTOLE_REG_ERROR_DETAIL 0x68
/** 64-bit counters, 8 bytes each, in the order of Counters */
#define SYSTOLE_REG_COUNTERS 0x80
/** bytes of register space that are decoded */
#define SYSTOLE_REG_SPAN 0x200
/** "SYST" */
#define SYSTOLE_IDENTITY_VALUE 0x53595354

/* ---- Kernel arguments (numbers as in the xclbin; text: register, kind) ---- */
/** RegProgram, pointer through m_axi_gmem1 */
#define SYSTOLE_ARG_PROGRAM 0
/** RegWeights, pointer through m_axi_gmem1 */
#define SYSTOLE_ARG_WEIGHTS 1
/** RegActivations, pointer through m_axi_gmem0 */
#define SYSTOLE_ARG_ACTIVATIONS 2
/** RegInstructions, unsigned number */
#define SYSTOLE_ARG_INSTRUCTIONS 3

/* ---- Feature bits ---- */
/** ACTIVATE adds a residual */
#define SYSTOLE_FEATURE_RESIDUAL 0
/** ACTIVATE pools */
#define SYSTOLE_FEATURE_POOL 1

/* ---- Counters (index; all of the last run) ---- */
/** from the cycle that accepts start to the one that raises done */
#define SYSTOLE_COUNTER_CYCLES 0
/** a row entered the array */
#define SYSTOLE_COUNTER_ACTIVE 1
/** before the first row */
#define SYSTOLE_COUNTER_START 2
/** after the last row */
#define SYSTOLE_COUNTER_DRAIN 3
/** the accumulator half was not free */
#define SYSTOLE_COUNTER_OUTPUT_STALL 4
/** the activations were not there */
#define SYSTOLE_COUNTER_INPUT_STALL 5
/** the next tile was not in the weight FIFO */
#define SYSTOLE_COUNTER_WEIGHT_STALL 6
/** it was, and was not yet in place */
#define SYSTOLE_COUNTER_WEIGHT_SHIFT 7
/** no MATMUL at the head */
#define SYSTOLE_COUNTER_OTHER 8
/** products with a zero operand, padding included */
#define SYSTOLE_COUNTER_ZERO_MACS 9
/** unified-buffer rows read */
#define SYSTOLE_COUNTER_UB_READS 10
/** unified-buffer rows written */
#define SYSTOLE_COUNTER_UB_WRITES 11
/** rows of Dim weights shifted into the array */
#define SYSTOLE_COUNTER_WEIGHT_ROWS 12
/** accumulator rows read by the activation unit */
#define SYSTOLE_COUNTER_ACC_READS 13
#define SYSTOLE_COUNTER_GMEM0_READ_BYTES 14
#define SYSTOLE_COUNTER_GMEM0_WRITE_BYTES 15
#define SYSTOLE_COUNTER_GMEM1_READ_BYTES 16
/** dispatched */
#define SYSTOLE_COUNTER_INSTRUCTIONS 17
/** number of counters */
#define SYSTOLE_COUNTERS 18

/* ---- Errors (code; what the detail register holds) ---- */
/** the run was good */
#define SYSTOLE_ERROR_NONE 0
/** instruction version; detail: the version found */
#define SYSTOLE_ERROR_VERSION 1
/** unknown opcode; detail: the opcode */
#define SYSTOLE_ERROR_OPCODE 2
/** a reserved bit is set; detail: word number of the first one */
#define SYSTOLE_ERROR_RESERVED 3
/** a count that must not be zero is zero, or too large */
#define SYSTOLE_ERROR_COUNT 4
/** unified-buffer row beyond UbRows; detail: the row */
#define SYSTOLE_ERROR_UB_RANGE 5
/** accumulator rows beyond AccRows or across the halves; detail: the first row */
#define SYSTOLE_ERROR_ACC_RANGE 6
/** offset or stride not a multiple of the port's bytes, or (unit: dispatch) a pointer
 *  not a multiple of 64 */
#define SYSTOLE_ERROR_ALIGN 7
/** the encoding exists, this build has no such unit */
#define SYSTOLE_ERROR_UNSUPPORTED 8
/** AXI SLVERR; detail: low 32 bits of the burst's address */
#define SYSTOLE_ERROR_SLAVE 9
/** AXI DECERR; detail: likewise */
#define SYSTOLE_ERROR_DECODE 10
/** watchdog: units wait for tokens or data; detail: wait mask of the waiting unit's
 *  missing tokens. Bit 31: the unit gave a token too many, to the unit of the mask */
#define SYSTOLE_ERROR_TOKEN 11
/** watchdog: the memory does not answer; the kernel stays busy */
#define SYSTOLE_ERROR_MEMORY 12
/** the last instruction is not END, or END is not the last */
#define SYSTOLE_ERROR_NO_END 13

#endif
