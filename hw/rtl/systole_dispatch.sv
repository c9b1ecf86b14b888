// The dispatcher: checks each instruction, puts it into its unit's queue, in order.
//
// Checks what can be seen from the instruction alone: version, opcode, reserved bits, counts that
// must not be zero, encodings that this build has no unit for. A full queue stops the dispatcher
// (in order: also what follows for other units). END waits until every unit is idle.
//
// Rate: an instruction a cycle. Timing: from fetch head to queue head 2 cycles.
// Errors: one cycle, with code, index and detail; then nothing is dispatched.
`include "systole_assert.svh"
`default_nettype none

module systole_dispatch #(
  parameter int Dim = 16,
  parameter int Features = 0, // feature bits, systole_pkg::Feature*
  localparam int Units     = systole_pkg::Units,
  localparam int InstrBits = systole_pkg::InstructionBits
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  start_i,        // one cycle
  input  logic [31:0]           instructions_i,

  input  logic                  fetch_valid_i,
  input  logic [InstrBits-1:0]  fetch_i,
  output logic                  fetch_pop_o,

  // Into the unit queues: unit u in bit u.
  input  logic [Units-1:0]      full_i,
  output logic [Units-1:0]      push_unit_o,
  output logic [InstrBits-1:0]  instr_o,
  output logic                  push_o,         // an instruction went into a queue

  input  logic                  units_idle_i,   // all queues empty, all units done
  output logic                  wake_o,         // this cycle changes something here
  output logic                  done_o,         // one cycle: END, and all is quiet
  output logic                  error_o,        // one cycle
  output logic [7:0]            error_code_o,
  output logic [31:0]           error_index_o,
  output logic [31:0]           error_detail_o,
  output logic [31:0]           index_o         // number of the instruction at instr_o
);
  // Ones at a field; the masks below are all bits that an opcode may use.
  function automatic logic [InstrBits-1:0] field(input int lsb, input int bits);
    field = ((InstrBits'(1) << bits) - InstrBits'(1)) << lsb;
  endfunction

  localparam logic [InstrBits-1:0] CommonMask =
      field(systole_pkg::VersionLsb, systole_pkg::VersionBits) | field(systole_pkg::OpcodeLsb, systole_pkg::OpcodeBits);
  localparam logic [InstrBits-1:0] UnitMask = CommonMask |
      field(systole_pkg::WaitLsb, systole_pkg::WaitBits) | field(systole_pkg::GiveLsb, systole_pkg::GiveBits);
  localparam logic [InstrBits-1:0] CopyMask = UnitMask |
      field(systole_pkg::CopyUbRowLsb, systole_pkg::CopyUbRowBits) |
      field(systole_pkg::CopyOffsetLsb, systole_pkg::CopyOffsetBits) |
      field(systole_pkg::CopyRowsLsb, systole_pkg::CopyRowsBits) |
      field(systole_pkg::CopyLinesLsb, systole_pkg::CopyLinesBits) |
      field(systole_pkg::CopyBlocksLsb, systole_pkg::CopyBlocksBits) |
      field(systole_pkg::CopyMemLineStrideLsb, systole_pkg::CopyMemLineStrideBits) |
      field(systole_pkg::CopyMemBlockStrideLsb, systole_pkg::CopyMemBlockStrideBits) |
      field(systole_pkg::CopyUbLineStrideLsb, systole_pkg::CopyUbLineStrideBits) |
      field(systole_pkg::CopyUbBlockStrideLsb, systole_pkg::CopyUbBlockStrideBits);
  localparam logic [InstrBits-1:0] LoadMask = CopyMask |
      field(systole_pkg::CopyFillBeforeLsb, systole_pkg::CopyFillBeforeBits) |
      field(systole_pkg::CopyFillAfterLsb, systole_pkg::CopyFillAfterBits) |
      field(systole_pkg::CopyFillByteLsb, systole_pkg::CopyFillByteBits) |
      field(systole_pkg::CopyLastLanesLsb, systole_pkg::CopyLastLanesBits);
  localparam logic [InstrBits-1:0] StoreMask = CopyMask |
      field(systole_pkg::CopyRawLsb, systole_pkg::CopyRawBits) |
      field(systole_pkg::CopyRawLanesLsb, systole_pkg::CopyRawLanesBits);
  localparam logic [InstrBits-1:0] WeightsMask = UnitMask |
      field(systole_pkg::WeightsParamsLsb, systole_pkg::WeightsParamsBits) |
      field(systole_pkg::WeightsBankLsb, systole_pkg::WeightsBankBits) |
      field(systole_pkg::WeightsOffsetLsb, systole_pkg::WeightsOffsetBits) |
      field(systole_pkg::WeightsTilesLsb, systole_pkg::WeightsTilesBits);
  localparam logic [InstrBits-1:0] MatmulMask = UnitMask |
      field(systole_pkg::MatmulUbRowLsb, systole_pkg::MatmulUbRowBits) |
      field(systole_pkg::MatmulAccumulateLsb, systole_pkg::MatmulAccumulateBits) |
      field(systole_pkg::MatmulAccRowLsb, systole_pkg::MatmulAccRowBits) |
      field(systole_pkg::MatmulRows0Lsb, systole_pkg::MatmulRows0Bits) |
      field(systole_pkg::MatmulRows1Lsb, systole_pkg::MatmulRows1Bits) |
      field(systole_pkg::MatmulRowStride0Lsb, systole_pkg::MatmulRowStride0Bits) |
      field(systole_pkg::MatmulRowStride1Lsb, systole_pkg::MatmulRowStride1Bits) |
      field(systole_pkg::MatmulRed0Lsb, systole_pkg::MatmulRed0Bits) |
      field(systole_pkg::MatmulRed1Lsb, systole_pkg::MatmulRed1Bits) |
      field(systole_pkg::MatmulRed2Lsb, systole_pkg::MatmulRed2Bits) |
      field(systole_pkg::MatmulRedStride0Lsb, systole_pkg::MatmulRedStride0Bits) |
      field(systole_pkg::MatmulRedStride1Lsb, systole_pkg::MatmulRedStride1Bits) |
      field(systole_pkg::MatmulRedStride2Lsb, systole_pkg::MatmulRedStride2Bits);
  localparam logic [InstrBits-1:0] ActivateMask = UnitMask |
      field(systole_pkg::ActivateUbRowLsb, systole_pkg::ActivateUbRowBits) |
      field(systole_pkg::ActivateAccRowLsb, systole_pkg::ActivateAccRowBits) |
      field(systole_pkg::ActivateRows0Lsb, systole_pkg::ActivateRows0Bits) |
      field(systole_pkg::ActivateRows1Lsb, systole_pkg::ActivateRows1Bits) |
      field(systole_pkg::ActivateUbStride0Lsb, systole_pkg::ActivateUbStride0Bits) |
      field(systole_pkg::ActivateUbStride1Lsb, systole_pkg::ActivateUbStride1Bits) |
      field(systole_pkg::ActivateRawLsb, systole_pkg::ActivateRawBits) |
      field(systole_pkg::ActivateBankLsb, systole_pkg::ActivateBankBits) |
      field(systole_pkg::ActivateBiasLsb, systole_pkg::ActivateBiasBits) |
      field(systole_pkg::ActivateResidualLsb, systole_pkg::ActivateResidualBits) |
      field(systole_pkg::ActivatePoolLsb, systole_pkg::ActivatePoolBits) |
      field(systole_pkg::ActivateZeroPointLsb, systole_pkg::ActivateZeroPointBits) |
      field(systole_pkg::ActivateClampLowLsb, systole_pkg::ActivateClampLowBits) |
      field(systole_pkg::ActivateClampHighLsb, systole_pkg::ActivateClampHighBits) |
      field(systole_pkg::ActivateResRowLsb, systole_pkg::ActivateResRowBits) |
      field(systole_pkg::ActivateResStride0Lsb, systole_pkg::ActivateResStride0Bits) |
      field(systole_pkg::ActivateResStride1Lsb, systole_pkg::ActivateResStride1Bits) |
      field(systole_pkg::ActivateResMulLsb, systole_pkg::ActivateResMulBits) |
      field(systole_pkg::ActivateResZeroLsb, systole_pkg::ActivateResZeroBits) |
      field(systole_pkg::ActivatePoolHeightLsb, systole_pkg::ActivatePoolHeightBits) |
      field(systole_pkg::ActivatePoolWidthLsb, systole_pkg::ActivatePoolWidthBits) |
      field(systole_pkg::ActivatePoolStrideHLsb, systole_pkg::ActivatePoolStrideHBits) |
      field(systole_pkg::ActivatePoolStrideWLsb, systole_pkg::ActivatePoolStrideWBits) |
      field(systole_pkg::ActivatePoolPadTopLsb, systole_pkg::ActivatePoolPadTopBits) |
      field(systole_pkg::ActivatePoolPadLeftLsb, systole_pkg::ActivatePoolPadLeftBits) |
      field(systole_pkg::ActivatePoolInWidthLsb, systole_pkg::ActivatePoolInWidthBits) |
      field(systole_pkg::ActivatePoolInHeightLsb, systole_pkg::ActivatePoolInHeightBits);

  logic                 run_q;
  logic                 have_q;   // instr_q is to be looked at
  logic [InstrBits-1:0] instr_q;  // at instr_o
  logic                 end_q;    // END was found; waits for the units
  logic [7:0]           opcode;
  logic [2:0]           unit;
  logic [7:0]           code;
  logic [31:0]          detail;
  logic [InstrBits-1:0] mask;
  logic                 go;       // instr_q leaves in this cycle
  logic                 stop;     // ... as an error

  assign opcode = instr_q[systole_pkg::OpcodeLsb +: systole_pkg::OpcodeBits];
  assign unit   = opcode[2:0] - 3'd1;
  // A bad instruction has perhaps no unit whose queue could be asked.
  assign go     = have_q && !end_q && (code != 8'(systole_pkg::ErrorNone) ||
                                       opcode == 8'(systole_pkg::OpEnd) || !full_i[unit]);
  assign stop   = go && code != 8'(systole_pkg::ErrorNone);
  assign push_o = go && !stop && opcode != 8'(systole_pkg::OpEnd);
  assign wake_o      = start_i || go || fetch_pop_o || (end_q && units_idle_i) || done_o || error_o;
  assign push_unit_o = push_o ? Units'(1) << unit : '0;
  assign instr_o = instr_q;
  assign fetch_pop_o = fetch_valid_i && run_q && (!have_q || push_o);

  logic [31:0] pop_index_q; // number of the instruction at the fetch head
  logic        last_when_popped;
  assign last_when_popped = pop_index_q == instructions_i - 32'd1;

  // Judged once, when the instruction arrives: the wide comparison is in the clocked process.
  always_ff @(posedge clk_i) begin : p_check
    if (fetch_pop_o) begin
      case (fetch_i[systole_pkg::OpcodeLsb +: systole_pkg::OpcodeBits])
        8'(systole_pkg::OpLoad):     mask = LoadMask;
        8'(systole_pkg::OpWeights):  mask = WeightsMask;
        8'(systole_pkg::OpMatmul):   mask = MatmulMask;
        8'(systole_pkg::OpActivate): mask = ActivateMask;
        8'(systole_pkg::OpStore):    mask = StoreMask;
        default:                     mask = CommonMask;
      endcase
      mask   = fetch_i & ~mask;
      code   <= 8'(systole_pkg::ErrorNone);
      detail <= '0;
      if (fetch_i[systole_pkg::VersionLsb +: systole_pkg::VersionBits] != 8'(systole_pkg::IsaVersion)) begin
        code   <= 8'(systole_pkg::ErrorVersion);
        detail <= 32'(fetch_i[systole_pkg::VersionLsb +: systole_pkg::VersionBits]);
      end else if (fetch_i[systole_pkg::OpcodeLsb +: systole_pkg::OpcodeBits] < 8'(systole_pkg::OpLoad) ||
                   fetch_i[systole_pkg::OpcodeLsb +: systole_pkg::OpcodeBits] > 8'(systole_pkg::OpEnd)) begin
        code   <= 8'(systole_pkg::ErrorOpcode);
        detail <= 32'(fetch_i[systole_pkg::OpcodeLsb +: systole_pkg::OpcodeBits]);
      end else if (mask != '0) begin
        code <= 8'(systole_pkg::ErrorReserved);
        for (int w = 15; w >= 0; w--)
          if (mask[32*w +: 32] != 32'd0) detail <= 32'(w);
      end else if (last_when_popped != (fetch_i[systole_pkg::OpcodeLsb +: systole_pkg::OpcodeBits] == 8'(systole_pkg::OpEnd))) begin
        code <= 8'(systole_pkg::ErrorNoEnd);
      end else begin
        case (fetch_i[systole_pkg::OpcodeLsb +: systole_pkg::OpcodeBits])
          8'(systole_pkg::OpLoad):
            if (fetch_i[systole_pkg::CopyLinesLsb +: systole_pkg::CopyLinesBits] == '0 ||
                fetch_i[systole_pkg::CopyBlocksLsb +: systole_pkg::CopyBlocksBits] == '0 ||
                fetch_i[systole_pkg::CopyLastLanesLsb +: systole_pkg::CopyLastLanesBits] > 9'(Dim) ||
                (fetch_i[systole_pkg::CopyRowsLsb +: systole_pkg::CopyRowsBits] == '0 &&
                 fetch_i[systole_pkg::CopyFillBeforeLsb +: systole_pkg::CopyFillBeforeBits] == '0 &&
                 fetch_i[systole_pkg::CopyFillAfterLsb +: systole_pkg::CopyFillAfterBits] == '0))
              code <= 8'(systole_pkg::ErrorCount);
          8'(systole_pkg::OpStore):
            if (fetch_i[systole_pkg::CopyLinesLsb +: systole_pkg::CopyLinesBits] == '0 ||
                fetch_i[systole_pkg::CopyBlocksLsb +: systole_pkg::CopyBlocksBits] == '0 ||
                (fetch_i[systole_pkg::CopyRawLsb] &&
                 fetch_i[systole_pkg::CopyRawLanesLsb +: systole_pkg::CopyRawLanesBits] > 9'(Dim)) ||
                fetch_i[systole_pkg::CopyRowsLsb +: systole_pkg::CopyRowsBits] == '0)
              code <= 8'(systole_pkg::ErrorCount);
          8'(systole_pkg::OpWeights):
            if (!fetch_i[systole_pkg::WeightsParamsLsb] &&
                fetch_i[systole_pkg::WeightsTilesLsb +: systole_pkg::WeightsTilesBits] == '0)
              code <= 8'(systole_pkg::ErrorCount);
          8'(systole_pkg::OpMatmul):
            if (fetch_i[systole_pkg::MatmulRows0Lsb +: systole_pkg::MatmulRows0Bits] == '0 ||
                fetch_i[systole_pkg::MatmulRows1Lsb +: systole_pkg::MatmulRows1Bits] == '0 ||
                fetch_i[systole_pkg::MatmulRed0Lsb +: systole_pkg::MatmulRed0Bits] == '0 ||
                fetch_i[systole_pkg::MatmulRed1Lsb +: systole_pkg::MatmulRed1Bits] == '0 ||
                fetch_i[systole_pkg::MatmulRed2Lsb +: systole_pkg::MatmulRed2Bits] == '0)
              code <= 8'(systole_pkg::ErrorCount);
          8'(systole_pkg::OpActivate):
            if (fetch_i[systole_pkg::ActivateRows0Lsb +: systole_pkg::ActivateRows0Bits] == '0 ||
                fetch_i[systole_pkg::ActivateRows1Lsb +: systole_pkg::ActivateRows1Bits] == '0 ||
                (fetch_i[systole_pkg::ActivatePoolLsb +: systole_pkg::ActivatePoolBits] != 2'(systole_pkg::PoolNone) &&
                 (fetch_i[systole_pkg::ActivatePoolHeightLsb +: systole_pkg::ActivatePoolHeightBits] == '0 ||
                  fetch_i[systole_pkg::ActivatePoolWidthLsb +: systole_pkg::ActivatePoolWidthBits] == '0 ||
                  fetch_i[systole_pkg::ActivatePoolInHeightLsb +: systole_pkg::ActivatePoolInHeightBits] == '0 ||
                  fetch_i[systole_pkg::ActivatePoolInWidthLsb +: systole_pkg::ActivatePoolInWidthBits] == '0)))
              code <= 8'(systole_pkg::ErrorCount);
            else if (fetch_i[systole_pkg::ActivatePoolLsb +: systole_pkg::ActivatePoolBits] > 2'(systole_pkg::PoolAverage) ||
                     (fetch_i[systole_pkg::ActivateRawLsb] &&
                      (fetch_i[systole_pkg::ActivateResidualLsb] ||
                       fetch_i[systole_pkg::ActivatePoolLsb +: systole_pkg::ActivatePoolBits] == 2'(systole_pkg::PoolMax))) ||
                     (fetch_i[systole_pkg::ActivateResidualLsb] && ((Features >> systole_pkg::FeatureResidual) & 1) == 0) ||
                     (fetch_i[systole_pkg::ActivatePoolLsb +: systole_pkg::ActivatePoolBits] != 2'(systole_pkg::PoolNone) &&
                      ((Features >> systole_pkg::FeaturePool) & 1) == 0))
              code <= 8'(systole_pkg::ErrorUnsupported);
          default: ;
        endcase
      end
    end
  end

  always_ff @(posedge clk_i) begin
    done_o  <= 1'b0;
    error_o <= 1'b0;
    if (start_i) begin
      run_q       <= 1'b1;
      index_o     <= '0;
      pop_index_q <= '0;
    end
    if (go) begin
      have_q  <= 1'b0;
      index_o <= index_o + 32'd1;
    end
    if (fetch_pop_o) begin
      have_q      <= 1'b1;
      instr_q     <= fetch_i;
      pop_index_q <= pop_index_q + 32'd1;
    end
    if (go && stop) begin
      run_q          <= 1'b0;
      error_o        <= 1'b1;
      error_code_o   <= code;
      error_index_o  <= index_o;
      error_detail_o <= detail;
    end else if (go && opcode == 8'(systole_pkg::OpEnd)) begin
      end_q <= 1'b1;
    end
    if (start_i && instructions_i == '0) begin
      run_q          <= 1'b0;
      error_o        <= 1'b1;
      error_code_o   <= 8'(systole_pkg::ErrorNoEnd);
      error_index_o  <= '0;
      error_detail_o <= '0;
    end
    if (end_q && units_idle_i) begin
      end_q  <= 1'b0;
      run_q  <= 1'b0;
      done_o <= 1'b1;
    end
    if (!rst_ni) begin
      run_q   <= 1'b0;
      have_q  <= 1'b0;
      end_q   <= 1'b0;
      done_o  <= 1'b0;
      error_o <= 1'b0;
    end
  end
endmodule

`default_nettype wire
