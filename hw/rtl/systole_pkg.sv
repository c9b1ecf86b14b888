// Every constant that hardware and software must agree on: instruction encoding, registers,
// error codes, memory layout of column parameters.
//
// This file is the only source. `scripts/gen_isa` turns it into host/card/systole_isa.h and into
// the tables of hw/README.md; the test `isa_is_generated` fails when they differ.
// The generator reads lines of the form
//   localparam int NAME = VALUE;  // text
// and section lines that start with `// ##`. VALUE is a decimal or hexadecimal literal.
//
// An instruction is 64 bytes, little-endian, 64-byte aligned in device memory. A field NAME is
// given by NAMELsb (position in the 512 bits) and NAMEBits (width). Bits outside all fields of
// an opcode must be zero. Rows of the unified buffer are Dim bytes, rows of the accumulators are
// Dim int32. Counts are plain unsigned numbers; strides are two's complement.
`default_nettype none

package systole_pkg;

  // ## Sizes
  localparam int InstructionBytes = 64;  // one instruction in device memory
  localparam int InstructionBits = 512;  // the same in bits
  localparam int IsaVersion = 1;         // byte 0 of every instruction
  localparam int RtlVersion = 3;         // timing of the units; see hw/README.md
  localparam int Units = 5;              // units that own a queue and exchange tokens
  localparam int TokenBits = 6;          // a pair of units holds at most 63 unused tokens
  localparam int QueueDepth = 4;         // instructions that a unit's queue holds
  localparam int BlockAlign = 64;        // bytes; every block in device memory starts on this
  localparam int ParamBytes = 8;         // device memory of one column's parameters
  localparam int MultiplierBits = 17;    // signed multiplier of a column and of the residual
  localparam int ShiftBits = 6;          // right shift after the multiply, 0 ... 47
  localparam int MaxShift = 47;          // larger shifts are refused

  // ## Units (bit number in the wait and give masks)
  localparam int UnitLoad = 0;      // device memory to unified buffer
  localparam int UnitWeight = 1;    // device memory to weight FIFO and column parameters
  localparam int UnitArray = 2;     // unified buffer through the array to the accumulators
  localparam int UnitActivate = 3;  // accumulators to unified buffer or raw results
  localparam int UnitStore = 4;     // unified buffer or raw results to device memory
  localparam int UnitFetch = 5;     // instruction fetch (in error reports only)
  localparam int UnitDispatch = 6;  // instruction check and queues (in error reports only)

  // ## Opcodes
  localparam int OpLoad = 1;      // 2-D copy into the unified buffer
  localparam int OpWeights = 2;   // tiles into the weight FIFO, or one block of column parameters
  localparam int OpMatmul = 3;    // rows through the array
  localparam int OpActivate = 4;  // accumulators to int8 or raw int32
  localparam int OpStore = 5;     // 2-D copy out
  localparam int OpEnd = 6;       // waits for all units, raises done

  // ## Fields of every instruction
  localparam int VersionLsb = 0;   // IsaVersion
  localparam int VersionBits = 8;
  localparam int OpcodeLsb = 8;    // see Opcodes
  localparam int OpcodeBits = 8;
  localparam int WaitLsb = 16;     // units from which one token each is taken before the start (END: reserved)
  localparam int WaitBits = 5;
  localparam int GiveLsb = 24;     // units to which one token each is given at the end (END: reserved)
  localparam int GiveBits = 5;

  // ## Fields of LOAD and STORE (for b < blocks, l < lines: rows contiguous rows)
  localparam int CopyUbRowLsb = 32;           // first unified-buffer row
  localparam int CopyUbRowBits = 24;
  localparam int CopyRawLsb = 56;             // STORE: 1 takes raw int32 rows from the activation unit
  localparam int CopyRawBits = 1;
  localparam int CopyOffsetLsb = 64;          // bytes from the activations pointer
  localparam int CopyOffsetBits = 48;
  localparam int CopyRowsLsb = 128;           // rows of a line, contiguous in device memory
  localparam int CopyRowsBits = 16;
  localparam int CopyLinesLsb = 144;          // lines of a block
  localparam int CopyLinesBits = 16;
  localparam int CopyBlocksLsb = 160;         // blocks
  localparam int CopyBlocksBits = 16;
  localparam int CopyFillBeforeLsb = 176;     // LOAD: rows of the fill byte before each line
  localparam int CopyFillBeforeBits = 16;
  localparam int CopyFillAfterLsb = 192;      // LOAD: rows of the fill byte after each line
  localparam int CopyFillAfterBits = 16;
  localparam int CopyFillByteLsb = 208;       // LOAD: the fill byte, usually the zero point
  localparam int CopyFillByteBits = 8;
  localparam int CopyMemLineStrideLsb = 224;  // bytes from line to line in device memory
  localparam int CopyMemLineStrideBits = 32;
  localparam int CopyMemBlockStrideLsb = 256; // bytes from block to block in device memory
  localparam int CopyMemBlockStrideBits = 48;
  localparam int CopyUbLineStrideLsb = 320;   // rows from line to line in the unified buffer
  localparam int CopyUbLineStrideBits = 24;
  localparam int CopyUbBlockStrideLsb = 352;  // rows from block to block in the unified buffer
  localparam int CopyUbBlockStrideBits = 24;
  localparam int CopyLastLanesLsb = 384;      // LOAD: valid lanes of the last block, the others become zero; 0 means all
  localparam int CopyLastLanesBits = 9;
  localparam int CopyRawLanesLsb = 400;       // raw STORE: lanes of every row that are stored, whole beats; 0 means all
  localparam int CopyRawLanesBits = 9;

  // ## Fields of WEIGHTS
  localparam int WeightsParamsLsb = 32;  // 0: tiles; 1: one block of column parameters
  localparam int WeightsParamsBits = 1;
  localparam int WeightsBankLsb = 33;    // parameter bank that is written (params only)
  localparam int WeightsBankBits = 1;
  localparam int WeightsOffsetLsb = 64;  // bytes from the weights pointer
  localparam int WeightsOffsetBits = 48;
  localparam int WeightsTilesLsb = 128;  // tiles of Dim x Dim bytes, row k first (tiles only)
  localparam int WeightsTilesBits = 24;

  // ## Fields of MATMUL (for each reduction step one weight tile; index 0 is the innermost loop)
  localparam int MatmulUbRowLsb = 32;       // first unified-buffer row
  localparam int MatmulUbRowBits = 24;
  localparam int MatmulAccumulateLsb = 56;  // 1: the first reduction step adds too; 0: it overwrites
  localparam int MatmulAccumulateBits = 1;
  localparam int MatmulAccRowLsb = 64;      // first accumulator row; rows follow one another
  localparam int MatmulAccRowBits = 24;
  localparam int MatmulRows0Lsb = 96;       // inner row loop
  localparam int MatmulRows0Bits = 16;
  localparam int MatmulRows1Lsb = 112;      // outer row loop
  localparam int MatmulRows1Bits = 16;
  localparam int MatmulRowStride0Lsb = 128; // unified-buffer rows per step of the inner row loop
  localparam int MatmulRowStride0Bits = 24;
  localparam int MatmulRowStride1Lsb = 160; // unified-buffer rows per step of the outer row loop
  localparam int MatmulRowStride1Bits = 24;
  localparam int MatmulRed0Lsb = 192;       // inner reduction loop
  localparam int MatmulRed0Bits = 16;
  localparam int MatmulRed1Lsb = 208;       // middle reduction loop
  localparam int MatmulRed1Bits = 16;
  localparam int MatmulRed2Lsb = 224;       // outer reduction loop
  localparam int MatmulRed2Bits = 16;
  localparam int MatmulRedStride0Lsb = 256; // unified-buffer rows per step of the inner reduction loop
  localparam int MatmulRedStride0Bits = 24;
  localparam int MatmulRedStride1Lsb = 288; // the same, middle
  localparam int MatmulRedStride1Bits = 24;
  localparam int MatmulRedStride2Lsb = 320; // the same, outer
  localparam int MatmulRedStride2Bits = 24;

  // ## Fields of ACTIVATE (rows0 x rows1 output rows)
  localparam int ActivateUbRowLsb = 32;       // first unified-buffer row of the int8 result
  localparam int ActivateUbRowBits = 24;
  localparam int ActivateAccRowLsb = 64;      // first accumulator row (of the image, with a pool); rows follow one another
  localparam int ActivateAccRowBits = 24;
  localparam int ActivateRows0Lsb = 96;       // inner loop of output rows
  localparam int ActivateRows0Bits = 16;
  localparam int ActivateRows1Lsb = 112;      // outer loop of output rows
  localparam int ActivateRows1Bits = 16;
  localparam int ActivateUbStride0Lsb = 128;  // unified-buffer rows per step of the inner loop
  localparam int ActivateUbStride0Bits = 24;
  localparam int ActivateUbStride1Lsb = 160;  // unified-buffer rows per step of the outer loop
  localparam int ActivateUbStride1Bits = 24;
  localparam int ActivateRawLsb = 192;        // 1: int32 rows to the store unit, nothing scaled
  localparam int ActivateRawBits = 1;
  localparam int ActivateBankLsb = 193;       // column parameter bank
  localparam int ActivateBankBits = 1;
  localparam int ActivateBiasLsb = 194;       // 1: add the column's bias (wraps modulo 2^32)
  localparam int ActivateBiasBits = 1;
  localparam int ActivateResidualLsb = 195;   // 1: add an int8 operand of the result's shape from the unified buffer (not raw)
  localparam int ActivateResidualBits = 1;
  localparam int ActivatePoolLsb = 196;       // see Pool modes
  localparam int ActivatePoolBits = 2;
  localparam int ActivateZeroPointLsb = 224;  // int8, added after the shift
  localparam int ActivateZeroPointBits = 8;
  localparam int ActivateClampLowLsb = 232;   // int8
  localparam int ActivateClampLowBits = 8;
  localparam int ActivateClampHighLsb = 240;  // int8
  localparam int ActivateClampHighBits = 8;
  localparam int ActivateResRowLsb = 256;     // first unified-buffer row of the residual
  localparam int ActivateResRowBits = 24;
  localparam int ActivateResStride0Lsb = 288; // its inner stride
  localparam int ActivateResStride0Bits = 24;
  localparam int ActivateResStride1Lsb = 320; // its outer stride
  localparam int ActivateResStride1Bits = 24;
  localparam int ActivateResMulLsb = 352;     // its multiplier, signed
  localparam int ActivateResMulBits = 17;
  localparam int ActivateResZeroLsb = 376;    // its zero point, int8, subtracted before the multiply
  localparam int ActivateResZeroBits = 8;
  localparam int ActivatePoolHeightLsb = 384; // pool window, 1 ... 15
  localparam int ActivatePoolHeightBits = 4;
  localparam int ActivatePoolWidthLsb = 388;
  localparam int ActivatePoolWidthBits = 4;
  localparam int ActivatePoolStrideHLsb = 392;
  localparam int ActivatePoolStrideHBits = 4;
  localparam int ActivatePoolStrideWLsb = 396;
  localparam int ActivatePoolStrideWBits = 4;
  localparam int ActivatePoolPadTopLsb = 400;  // rows above the image; they take no part in the maximum
  localparam int ActivatePoolPadTopBits = 4;
  localparam int ActivatePoolPadLeftLsb = 404; // columns left of the image
  localparam int ActivatePoolPadLeftBits = 4;
  localparam int ActivatePoolInWidthLsb = 416; // accumulator rows of one image line
  localparam int ActivatePoolInWidthBits = 16;
  localparam int ActivatePoolInHeightLsb = 432; // image lines in the accumulator half
  localparam int ActivatePoolInHeightBits = 16;

  // ## Pool modes
  localparam int PoolNone = 0;     // one accumulator row, one output row
  localparam int PoolMax = 1;      // maximum of the finished int8 values
  localparam int PoolAverage = 2;  // sum of accumulators (and biases) before the multiply, or raw

  // ## Column parameters (ParamBytes a column, in column order)
  localparam int ParamBiasLsb = 0;         // int32
  localparam int ParamBiasBits = 32;
  localparam int ParamMultiplierLsb = 32;  // signed
  localparam int ParamMultiplierBits = 17;
  localparam int ParamShiftLsb = 49;       // 0 ... MaxShift
  localparam int ParamShiftBits = 6;

  // ## Registers (byte offsets; read-only from RegIdentity on)
  localparam int RegControl = 'h00;         // bit 0 start, 1 done (clears on read), 2 idle, 3 ready
  localparam int RegInterruptEnable = 'h04; // bit 0: the interrupt pin follows the status below
  localparam int RegInterruptMask = 'h08;   // bit 0: done, bit 1: ready
  localparam int RegInterruptStatus = 'h0C; // the same bits; writing 1 toggles
  localparam int RegProgram = 'h10;         // 64-bit address of the first instruction
  localparam int RegWeights = 'h18;         // 64-bit base of the weights
  localparam int RegActivations = 'h20;     // 64-bit base of activations and results
  localparam int RegInstructions = 'h28;    // number of instructions, END included
  localparam int RegIdentity = 'h40;        // IdentityValue
  localparam int RegVersion = 'h44;         // IsaVersion, RtlVersion << 8
  localparam int RegGeometry = 'h48;        // log2 Dim, log2 AxiBytes << 8, WeightPorts << 16, flat array << 24
  localparam int RegUbRows = 'h4C;          // rows of Dim bytes
  localparam int RegAccRows = 'h50;         // rows of Dim int32, both halves together
  localparam int RegWeightTiles = 'h54;     // Dim x Dim tiles in the weight FIFO
  localparam int RegFeatures = 'h58;        // see Feature bits
  localparam int RegWatchdog = 'h5C;        // cycles without progress that end a run
  localparam int RegErrorCode = 'h60;       // see Errors; unit << 8
  localparam int RegErrorIndex = 'h64;      // index of the failing instruction
  localparam int RegErrorDetail = 'h68;     // see Errors
  localparam int RegCounters = 'h80;        // 64-bit counters, 8 bytes each, in the order of Counters
  localparam int RegSpan = 'h200;           // bytes of register space that are decoded
  localparam int IdentityValue = 'h53595354; // "SYST"

  // ## Kernel arguments (numbers as in the xclbin; text: register, kind)
  localparam int ArgProgram = 0;       // RegProgram, pointer through m_axi_gmem1
  localparam int ArgWeights = 1;       // RegWeights, pointer through m_axi_gmem1
  localparam int ArgActivations = 2;   // RegActivations, pointer through m_axi_gmem0
  localparam int ArgInstructions = 3;  // RegInstructions, unsigned number

  // ## Feature bits
  localparam int FeatureResidual = 0;  // ACTIVATE adds a residual
  localparam int FeaturePool = 1;      // ACTIVATE pools

  // ## Counters (index; all of the last run)
  localparam int CounterCycles = 0;        // from the cycle that accepts start to the one that raises done
  localparam int CounterActive = 1;        // a row entered the array
  localparam int CounterStart = 2;         // before the first row
  localparam int CounterDrain = 3;         // after the last row
  localparam int CounterOutputStall = 4;   // the accumulator half was not free
  localparam int CounterInputStall = 5;    // the activations were not there
  localparam int CounterWeightStall = 6;   // the next tile was not in the weight FIFO
  localparam int CounterWeightShift = 7;   // it was, and was not yet in place
  localparam int CounterOther = 8;         // no MATMUL at the head
  localparam int CounterZeroMacs = 9;      // products with a zero operand, padding included
  localparam int CounterUbReads = 10;      // unified-buffer rows read
  localparam int CounterUbWrites = 11;     // unified-buffer rows written
  localparam int CounterWeightRows = 12;   // rows of Dim weights shifted into the array
  localparam int CounterAccReads = 13;     // accumulator rows read by the activation unit
  localparam int CounterGmem0ReadBytes = 14;
  localparam int CounterGmem0WriteBytes = 15;
  localparam int CounterGmem1ReadBytes = 16;
  localparam int CounterInstructions = 17; // dispatched
  localparam int Counters = 18;            // number of counters

  // ## Errors (code; what the detail register holds)
  localparam int ErrorNone = 0;         // the run was good
  localparam int ErrorVersion = 1;      // instruction version; detail: the version found
  localparam int ErrorOpcode = 2;       // unknown opcode; detail: the opcode
  localparam int ErrorReserved = 3;     // a reserved bit is set; detail: word number of the first one
  localparam int ErrorCount = 4;        // a count that must not be zero is zero, or too large
  localparam int ErrorUbRange = 5;      // unified-buffer row beyond UbRows; detail: the row
  localparam int ErrorAccRange = 6;     // accumulator rows beyond AccRows or across the halves; detail: the first row
  localparam int ErrorAlign = 7;        // offset or stride not a multiple of the port's bytes, or (unit: dispatch) a pointer not a multiple of 64
  localparam int ErrorUnsupported = 8;  // the encoding exists, this build has no such unit
  localparam int ErrorSlave = 9;        // AXI SLVERR; detail: low 32 bits of the burst's address
  localparam int ErrorDecode = 10;      // AXI DECERR; detail: likewise
  localparam int ErrorToken = 11;       // watchdog: units wait for tokens or data; detail: wait mask of the waiting unit's missing tokens. Bit 31: the unit gave a token too many, to the unit of the mask
  localparam int ErrorMemory = 12;      // watchdog: the memory does not answer; the kernel stays busy
  localparam int ErrorNoEnd = 13;       // the last instruction is not END, or END is not the last
endpackage

`default_nettype wire
