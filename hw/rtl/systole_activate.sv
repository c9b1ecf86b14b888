// The activation unit: ACTIVATE instructions, accumulators -> int8 in the unified buffer, or raw
// int32 to the store unit.
//
//   x = acc + (bias ? column bias : 0)                             wraps modulo 2^32
//   average pool: x is the sum of these over the window            wraps modulo 2^32
//   raw:  x
//   int8: p = x * multiplier + (residual - its zero point) * its multiplier
//         clamp(round_half_to_even(p / 2^shift) + zero_point, low, high)
//   max pool: the largest of these over the window
//
// hw/README.md has every detail, host/engine/epilogue.c states it in C.
//
// Three parts: positions (which window of the image of accumulator rows an output row looks at),
// elements (one accumulator row of that window a cycle), and a pipeline of lanes that never stands
// still: an element starts only when its row has a slot in the output memory, from which rows leave
// in order. Instructions follow each other without a gap; what differs travels along (`ctl`).
//
// Rate: an accumulator row a cycle, so without a pool an output row a cycle. A row with a residual
// uses port B of the unified buffer twice, so one every two cycles. An instruction with a residual
// starts when all earlier rows were taken, because it may read them.
// Latency from the read of the last accumulator row of an output row: 5 cycles to raw_valid_o, 14
// to ub_valid_o. From the accepted instruction to its first read: 3 cycles.
// It reads no accumulator row from a half into which rows are on their way (flight_i).
// Done: tokens are given in the cycle after the last row was taken; those of raw rows when the last
// accumulator row has been read, and behind those of earlier instructions. Raw rows then leave as the
// store takes them, and the half is free meanwhile.
// Errors: a row beyond the unified buffer (result or residual; detail: the row), accumulator rows
// beyond AccRows or across the halves (detail: the first row). Nothing is read from then on.
`include "systole_assert.svh"
`default_nettype none

module systole_activate #(
  parameter int Dim       = 16,
  parameter int UbRows    = 16384,
  parameter int AccRows   = 2048,
  parameter int AxiBytes  = 16,
  localparam int UbBits   = $clog2(UbRows),
  localparam int AccBits  = $clog2(AccRows),
  localparam int UnitBits = systole_pkg::Units,
  localparam int BeatBits = $clog2(8 * Dim / AxiBytes) + 1,
  localparam int InstrBits = systole_pkg::InstructionBits
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,

  input  logic                  head_valid_i, // head of this unit's queue, its tokens present
  input  logic [InstrBits-1:0]  head_i,
  input  logic [31:0]           head_index_i, // its number
  output logic                  accept_o,
  output logic                  done_o,
  output logic [UnitBits-1:0]   give_o,

  input  logic                  param_valid_i,
  input  logic                  param_bank_i,
  input  logic [BeatBits-1:0]   param_beat_i,
  input  logic [8*AxiBytes-1:0] param_data_i,

  input  logic [1:0]            flight_i,
  output logic                  acc_read_o,
  output logic [AccBits-1:0]    acc_row_o,
  input  logic [32*Dim-1:0]     acc_rdata_i,   // one cycle after acc_read_o, held

  // Residual rows: granted in the same cycle, data two cycles later.
  output logic                  residual_valid_o,
  input  logic                  residual_grant_i,
  output logic [UbBits-1:0]     residual_row_o,
  input  logic                  residual_here_i,
  input  logic [8*Dim-1:0]      residual_data_i,

  output logic                  raw_valid_o,
  input  logic                  raw_ready_i,
  output logic [32*Dim-1:0]     raw_data_o,

  output logic                  ub_valid_o,
  input  logic                  ub_grant_i,
  output logic [UbBits-1:0]     ub_row_o,
  output logic [8*Dim-1:0]      ub_data_o,

  output logic                  ub_error_o,    // one cycle
  output logic                  acc_error_o,   // one cycle
  output logic [31:0]           error_detail_o,
  output logic [31:0]           error_index_o, // instruction of the error
  output logic [31:0]           index_o,       // oldest instruction at work (for the watchdog)
  output logic [31:0]           done_index_o,  // instruction of done_o
  output logic                  wake_o,        // this cycle may change something here
  output logic                  busy_o
);
  // An output row has a slot from the start of its last element until it is taken: 15 cycles to the
  // output and one to give the slot back must fit. Raw rows of a wide array leave in several cycles
  // each; those that wait here bridge the time (2 Dim) until the next instruction's may be read.
  localparam int Slots    = (Dim >= 128) ? 64 : 32;
  localparam int SlotBits = $clog2(Slots);
  localparam int Stages   = 13;
  localparam int RawStage = 4;
  // A coordinate of a window: rows x stride, either sign.
  localparam int PlaceBits = 21;

  // What an element takes along.
  localparam int CtlBits  = 64;
  localparam int CtlBank  = 0;
  localparam int CtlBias  = 1;
  localparam int CtlRaw   = 2;
  localparam int CtlSum   = 3;  // average pool
  localparam int CtlAdd   = 4;  // a residual is added
  localparam int CtlFetch = 5;  // ... and arrives with this element
  localparam int CtlFirst = 6;  // of its window
  localparam int CtlLast  = 7;
  localparam int CtlVoid  = 8;  // a window that lies in padding: no accumulator row
  localparam int CtlZero  = 9;
  localparam int CtlLow   = 17;
  localparam int CtlHigh  = 25;
  localparam int CtlMul   = 33; // of the residual
  localparam int CtlResZero = 50;
  localparam int CtlSlot  = 58; // SlotBits

  localparam int TagRaw   = UbBits;
  localparam int TagTail  = UbBits + 1;
  localparam int TagGive  = UbBits + 2;
  localparam int TagIndex = UbBits + 2 + UnitBits;
  localparam int TagBits  = TagIndex + 32;

  // ---- positions -----------------------------------------------------------------------------
  // Without a pool the image is rows1 lines of rows0 pixels, the window one pixel.
  logic                p_valid_q, p_first_q;
  logic [15:0]         p_x_q, p_y_q, p_count_q;   // output rows left in the line, lines left
  logic [15:0]         p_width_q;                 // of the image
  logic [3:0]          p_window_w_q, p_window_h_q, p_stride_w_q, p_stride_h_q, p_pad_q;
  // Left edge of the window; what lies right of it in the image; the same downwards.
  logic signed [PlaceBits-1:0] p_left_q, p_right_q, p_top_q, p_bottom_q;
  logic [23:0]         p_base_q;                  // accumulator row of the image's first pixel
  logic [24:0]         p_row_q;                   // of column 0 in the window's first line
  logic [24:0]         p_row_step_q;
  logic [23:0]         p_ub_q, p_ub_line_q, p_ub0_q, p_ub1_q;
  logic [23:0]         p_res_q, p_res_line_q, p_res0_q, p_res1_q;
  logic [CtlBits-1:0]  p_ctl_q;
  logic [UnitBits-1:0] p_give_q;
  logic [31:0]         p_index_q;
  logic                p_step;                    // this position leaves
  logic                p_last;                    // ... as the last of its instruction

  // The position that is worked on (q_), and one more (s_), so that no path goes from a grant of
  // port B back to the instruction queue.
  logic                q_valid_q, s_valid_q;
  logic                q_head_q, s_head_q;        // first of its instruction
  logic                q_tail_q, s_tail_q;        // last of its instruction
  logic                q_void_q, s_void_q;
  logic [24:0]         q_row_q, s_row_q;          // accumulator row of the element
  logic [4:0]          q_w_q, s_w_q, q_h_q, s_h_q; // pixels of a line, lines left
  logic [15:0]         q_width_q, s_width_q;
  logic [23:0]         q_base_q, s_base_q;
  logic [23:0]         q_ub_q, s_ub_q, q_res_q, s_res_q;
  logic [CtlBits-1:0]  q_ctl_q, s_ctl_q;
  logic [UnitBits-1:0] q_give_q, s_give_q;
  logic [31:0]         q_index_q, s_index_q;
  logic                q_free;                    // the position is finished, or there is none

  // A pool's products, stride and padding times width, come in three cycles. Nothing needs them
  // before the second line of windows.
  logic [1:0]          ready_q;
  logic [3:0]          p_pad_top_q;
  logic [20:0]         step_low_q, step_high_q, pad_low_q, pad_high_q;
  logic [20:0]         step_q, pad_q;
  logic                pool;
  assign pool     = head_i[systole_pkg::ActivatePoolLsb +: systole_pkg::ActivatePoolBits] != 2'(systole_pkg::PoolNone);
  assign p_step   = p_valid_q && !s_valid_q && (p_x_q != 16'd1 || ready_q == 2'd3);
  assign p_last   = p_step && p_x_q == 16'd1 && p_y_q == 16'd1;
  assign accept_o = head_valid_i && (!p_valid_q || p_last);

  // ---- elements ------------------------------------------------------------------------------
  logic                elem_first_q;
  logic [4:0]          elem_w_q;                  // pixels left in the line
  logic [24:0]         elem_line_q;               // accumulator row of the line's first pixel
  logic                elem_last;
  // The element's rows are outside of the accumulators' half, of the buffer; any of these. Looked at
  // when the rows are written, since what may start reaches far.
  logic                acc_bad_q, ub_bad_q, res_bad_q, bad_q;
  logic                s_acc_bad_q, s_ub_bad_q, s_res_bad_q;
  // flight_i a cycle later: a row needs longer to the accumulators, and no path begins outside.
  logic [1:0]          flight_q;
  logic                open;                      // nothing but the grant of a residual is missing
  logic                want;                      // this element needs a residual row
  logic                go;                        // an element starts
  logic [SlotBits:0]   room_q;                    // free slots
  logic [SlotBits-1:0] write_q, read_q;           // slot of the next output row, of the next to leave
  logic [Slots-1:0]    filled_q;                  // rows that may leave
  logic                taken, leave;
  logic [Stages:1]     valid_q;
  // What an output row takes along: index, give, last of its instruction, raw, unified-buffer row.
  logic [TagBits-1:0]  tag_m [0:Slots-1];
  logic [TagBits-1:0]  tag;
  logic                finishes;                  // the last element of an instruction starts
  logic                early;                     // ... whose tokens need not wait until rows are taken
  logic [SlotBits:0]   late_q;                    // instructions that wait for that
  logic                out_tail_q;
  logic [UnitBits-1:0] out_give_q;
  logic [31:0]         out_index_q;

  assign elem_last = q_void_q || (elem_w_q == 5'd1 && q_h_q == 5'd1);
  assign want      = q_ctl_q[CtlAdd] && (q_ctl_q[CtlSum] ? elem_last : elem_first_q);
  assign open      = q_valid_q && !bad_q && room_q != '0 &&
                     (q_void_q || !flight_q[q_row_q[AccBits-1]]) &&
                     !(q_head_q && elem_first_q && q_ctl_q[CtlAdd] && !room_q[SlotBits]);
  assign go        = open && (!want || residual_grant_i);
  assign q_free    = !q_valid_q || (go && elem_last);
  assign finishes  = go && elem_last && q_tail_q;
  assign early     = q_ctl_q[CtlRaw] && late_q == '0;

  assign residual_valid_o = open && want;
  assign residual_row_o   = q_res_q[UbBits-1:0];
  assign taken = (ub_valid_o && ub_grant_i) || (raw_valid_o && raw_ready_i);
  assign leave = filled_q[read_q] && (taken || !(ub_valid_o || raw_valid_o));
  assign tag   = tag_m[read_q];
  assign index_o = (ub_valid_o || raw_valid_o) ? out_index_q : q_index_q;

  // Values of one cycle, written before they are read.
  logic signed [PlaceBits-1:0] wide;
  logic signed [PlaceBits-1:0] high;
  logic [15:0]         width;
  logic [15:0]         height;
  logic [3:0]          pad_top, pad_left;
  logic [CtlBits-1:0]  static_ctl;
  logic                low_above;
  logic [24:0]         n_row;
  logic                n_void;
  logic [24:0]         next_row;
  logic                n_acc_bad, n_ub_bad, n_res_bad;

  function automatic logic outside(input logic [24:0] row, input logic [23:0] base);
    outside = 32'(row) >= AccRows || row[AccBits-1] != base[AccBits-1];
  endfunction

  // Pixels of a window that lie in the image: `edge_at` is its first one, `rest` what the image has
  // from there on.
  function automatic logic signed [PlaceBits-1:0] visible(input logic signed [PlaceBits-1:0] edge_at,
                                                         input logic signed [PlaceBits-1:0] rest,
                                                         input logic [3:0]                  window);
    visible = ((rest < $signed(PlaceBits'(window))) ? rest : $signed(PlaceBits'(window))) +
             (edge_at[PlaceBits-1] ? edge_at : PlaceBits'(0));
  endfunction

  // A number of 4 bits times a width: the sums of two products each.
  function automatic logic [20:0] times(input logic [1:0] factor, input logic [15:0] value);
    times = (factor[0] ? 21'(value) : 21'd0) + (factor[1] ? 21'(value) << 1 : 21'd0);
  endfunction

  always_ff @(posedge clk_i) begin : p_positions
    if (p_valid_q && ready_q != 2'd3) begin
      step_low_q  <= times(p_stride_h_q[1:0], p_width_q);
      step_high_q <= times(p_stride_h_q[3:2], p_width_q);
      pad_low_q   <= times(p_pad_top_q[1:0], p_width_q);
      pad_high_q  <= times(p_pad_top_q[3:2], p_width_q);
      step_q      <= step_low_q + (step_high_q << 2);
      pad_q       <= pad_low_q + (pad_high_q << 2);
      ready_q     <= ready_q + 2'd1;
      if (ready_q == 2'd2) begin
        p_row_q      <= 25'(p_base_q) - 25'(pad_q);
        p_row_step_q <= 25'(step_q);
      end
    end

    if (p_step) begin
      p_first_q <= 1'b0;
      if (p_x_q != 16'd1) begin
        p_x_q     <= p_x_q - 16'd1;
        p_left_q  <= p_left_q + $signed(PlaceBits'(p_stride_w_q));
        p_right_q <= p_right_q - $signed(PlaceBits'(p_stride_w_q));
        p_ub_q    <= p_ub_q + p_ub0_q;
        p_res_q   <= p_res_q + p_res0_q;
      end else begin
        p_x_q        <= p_count_q;
        p_y_q        <= p_y_q - 16'd1;
        p_left_q     <= -$signed(PlaceBits'(p_pad_q));
        p_right_q    <= $signed(PlaceBits'(p_width_q)) + $signed(PlaceBits'(p_pad_q));
        p_top_q      <= p_top_q + $signed(PlaceBits'(p_stride_h_q));
        p_bottom_q   <= p_bottom_q - $signed(PlaceBits'(p_stride_h_q));
        p_row_q      <= p_row_q + p_row_step_q;
        p_ub_q       <= p_ub_line_q + p_ub1_q;
        p_ub_line_q  <= p_ub_line_q + p_ub1_q;
        p_res_q      <= p_res_line_q + p_res1_q;
        p_res_line_q <= p_res_line_q + p_res1_q;
      end
    end
    if (p_last) p_valid_q <= 1'b0;

    if (accept_o) begin
      width    = pool ? head_i[systole_pkg::ActivatePoolInWidthLsb +: systole_pkg::ActivatePoolInWidthBits] :
                        head_i[systole_pkg::ActivateRows0Lsb +: systole_pkg::ActivateRows0Bits];
      height   = pool ? head_i[systole_pkg::ActivatePoolInHeightLsb +: systole_pkg::ActivatePoolInHeightBits] :
                        head_i[systole_pkg::ActivateRows1Lsb +: systole_pkg::ActivateRows1Bits];
      pad_top  = pool ? head_i[systole_pkg::ActivatePoolPadTopLsb +: 4] : 4'd0;
      pad_left = pool ? head_i[systole_pkg::ActivatePoolPadLeftLsb +: 4] : 4'd0;
      p_valid_q    <= 1'b1;
      p_first_q    <= 1'b1;
      ready_q      <= pool ? 2'd0 : 2'd3;
      p_x_q        <= head_i[systole_pkg::ActivateRows0Lsb +: systole_pkg::ActivateRows0Bits];
      p_count_q    <= head_i[systole_pkg::ActivateRows0Lsb +: systole_pkg::ActivateRows0Bits];
      p_y_q        <= head_i[systole_pkg::ActivateRows1Lsb +: systole_pkg::ActivateRows1Bits];
      p_width_q    <= width;
      p_window_w_q <= pool ? head_i[systole_pkg::ActivatePoolWidthLsb +: 4] : 4'd1;
      p_window_h_q <= pool ? head_i[systole_pkg::ActivatePoolHeightLsb +: 4] : 4'd1;
      p_stride_w_q <= pool ? head_i[systole_pkg::ActivatePoolStrideWLsb +: 4] : 4'd1;
      p_stride_h_q <= pool ? head_i[systole_pkg::ActivatePoolStrideHLsb +: 4] : 4'd1;
      p_pad_q      <= pad_left;
      p_pad_top_q  <= pad_top;
      p_left_q     <= -$signed(PlaceBits'(pad_left));
      p_right_q    <= $signed(PlaceBits'(width)) + $signed(PlaceBits'(pad_left));
      p_top_q      <= -$signed(PlaceBits'(pad_top));
      p_bottom_q   <= $signed(PlaceBits'(height)) + $signed(PlaceBits'(pad_top));
      p_base_q     <= head_i[systole_pkg::ActivateAccRowLsb +: systole_pkg::ActivateAccRowBits];
      p_row_q      <= 25'(head_i[systole_pkg::ActivateAccRowLsb +: systole_pkg::ActivateAccRowBits]);
      p_row_step_q <= 25'(width);
      p_ub_q       <= head_i[systole_pkg::ActivateUbRowLsb +: systole_pkg::ActivateUbRowBits];
      p_ub_line_q  <= head_i[systole_pkg::ActivateUbRowLsb +: systole_pkg::ActivateUbRowBits];
      p_ub0_q      <= head_i[systole_pkg::ActivateUbStride0Lsb +: systole_pkg::ActivateUbStride0Bits];
      p_ub1_q      <= head_i[systole_pkg::ActivateUbStride1Lsb +: systole_pkg::ActivateUbStride1Bits];
      p_res_q      <= head_i[systole_pkg::ActivateResRowLsb +: systole_pkg::ActivateResRowBits];
      p_res_line_q <= head_i[systole_pkg::ActivateResRowLsb +: systole_pkg::ActivateResRowBits];
      p_res0_q     <= head_i[systole_pkg::ActivateResStride0Lsb +: systole_pkg::ActivateResStride0Bits];
      p_res1_q     <= head_i[systole_pkg::ActivateResStride1Lsb +: systole_pkg::ActivateResStride1Bits];
      p_give_q     <= head_i[systole_pkg::GiveLsb +: UnitBits];
      p_index_q    <= head_index_i;
      // A low clamp above the high one: the high one counts.
      low_above = $signed(head_i[systole_pkg::ActivateClampLowLsb +: 8]) >
                  $signed(head_i[systole_pkg::ActivateClampHighLsb +: 8]);
      static_ctl = '0;
      static_ctl[CtlBank] = head_i[systole_pkg::ActivateBankLsb];
      static_ctl[CtlBias] = head_i[systole_pkg::ActivateBiasLsb];
      static_ctl[CtlRaw]  = head_i[systole_pkg::ActivateRawLsb];
      static_ctl[CtlSum]  = head_i[systole_pkg::ActivatePoolLsb +: systole_pkg::ActivatePoolBits] == 2'(systole_pkg::PoolAverage);
      static_ctl[CtlAdd]  = head_i[systole_pkg::ActivateResidualLsb];
      static_ctl[CtlZero +: 8] = head_i[systole_pkg::ActivateZeroPointLsb +: 8];
      static_ctl[CtlLow +: 8]  = low_above ? head_i[systole_pkg::ActivateClampHighLsb +: 8] :
                                             head_i[systole_pkg::ActivateClampLowLsb +: 8];
      static_ctl[CtlHigh +: 8] = head_i[systole_pkg::ActivateClampHighLsb +: 8];
      static_ctl[CtlMul +: 17] = head_i[systole_pkg::ActivateResMulLsb +: systole_pkg::ActivateResMulBits];
      static_ctl[CtlResZero +: 8] = head_i[systole_pkg::ActivateResZeroLsb +: 8];
      p_ctl_q <= static_ctl;
    end

    // From the position to its elements.
    if (p_step) begin
      wide   = visible(p_left_q, p_right_q, p_window_w_q);
      high   = visible(p_top_q, p_bottom_q, p_window_h_q);
      n_void = wide <= PlaceBits'(0) || high <= PlaceBits'(0);
      n_row  = (p_top_q[PlaceBits-1] ? 25'(p_base_q) : p_row_q) +
               (p_left_q[PlaceBits-1] ? 25'd0 : 25'(p_left_q));
      n_acc_bad = !n_void && outside(n_row, p_base_q);
      n_ub_bad  = !p_ctl_q[CtlRaw] && 32'(p_ub_q) >= UbRows;
      n_res_bad = p_ctl_q[CtlAdd] && 32'(p_res_q) >= UbRows;
    end
    if (q_free) begin
      q_valid_q    <= s_valid_q || p_step;
      elem_first_q <= 1'b1;
      if (s_valid_q) begin
        q_head_q    <= s_head_q;
        q_tail_q    <= s_tail_q;
        q_void_q    <= s_void_q;
        q_row_q     <= s_row_q;
        elem_line_q <= s_row_q;
        q_w_q       <= s_w_q;
        elem_w_q    <= s_w_q;
        q_h_q       <= s_h_q;
        q_width_q   <= s_width_q;
        q_base_q    <= s_base_q;
        q_ub_q      <= s_ub_q;
        q_res_q     <= s_res_q;
        q_ctl_q     <= s_ctl_q;
        q_give_q    <= s_give_q;
        q_index_q   <= s_index_q;
        acc_bad_q   <= s_acc_bad_q;
        ub_bad_q    <= s_ub_bad_q;
        res_bad_q   <= s_res_bad_q;
        bad_q       <= s_acc_bad_q || s_ub_bad_q || s_res_bad_q;
        s_valid_q   <= 1'b0;
      end else if (p_step) begin
        q_head_q    <= p_first_q;
        q_tail_q    <= p_last;
        q_void_q    <= n_void;
        q_row_q     <= n_row;
        elem_line_q <= n_row;
        q_w_q       <= wide[4:0];
        elem_w_q    <= wide[4:0];
        q_h_q       <= high[4:0];
        q_width_q   <= p_width_q;
        q_base_q    <= p_base_q;
        q_ub_q      <= p_ub_q;
        q_res_q     <= p_res_q;
        q_ctl_q     <= p_ctl_q;
        q_give_q    <= p_give_q;
        q_index_q   <= p_index_q;
        acc_bad_q   <= n_acc_bad;
        ub_bad_q    <= n_ub_bad;
        res_bad_q   <= n_res_bad;
        bad_q       <= n_acc_bad || n_ub_bad || n_res_bad;
      end
    end else begin
      if (p_step) begin
        s_valid_q <= 1'b1;
        s_head_q  <= p_first_q;
        s_tail_q  <= p_last;
        s_void_q  <= n_void;
        s_row_q   <= n_row;
        s_w_q     <= wide[4:0];
        s_h_q     <= high[4:0];
        s_width_q <= p_width_q;
        s_base_q  <= p_base_q;
        s_ub_q    <= p_ub_q;
        s_res_q   <= p_res_q;
        s_ctl_q   <= p_ctl_q;
        s_give_q  <= p_give_q;
        s_index_q <= p_index_q;
        s_acc_bad_q <= n_acc_bad;
        s_ub_bad_q  <= n_ub_bad;
        s_res_bad_q <= n_res_bad;
      end
      // The next element of the same window.
      if (go) begin
        elem_first_q <= 1'b0;
        if (elem_w_q != 5'd1) begin
          elem_w_q <= elem_w_q - 5'd1;
          next_row = q_row_q + 25'd1;
        end else begin
          elem_w_q    <= q_w_q;
          q_h_q       <= q_h_q - 5'd1;
          next_row    = elem_line_q + 25'(q_width_q);
          elem_line_q <= next_row;
        end
        q_row_q   <= next_row;
        acc_bad_q <= outside(next_row, q_base_q);
        bad_q     <= outside(next_row, q_base_q);
      end
    end
    if (!rst_ni) begin
      p_valid_q <= 1'b0;
      q_valid_q <= 1'b0;
      s_valid_q <= 1'b0;
    end
  end

  // ---- slots, outputs, errors ----------------------------------------------------------------
  always_ff @(posedge clk_i) begin : p_control
    done_o      <= 1'b0;
    flight_q    <= flight_i;
    ub_error_o  <= q_valid_q && (ub_bad_q || res_bad_q) && !acc_bad_q;
    acc_error_o <= q_valid_q && acc_bad_q;
    if (q_valid_q && bad_q) begin
      error_detail_o <= acc_bad_q ? 32'(q_base_q) : ub_bad_q ? 32'(q_ub_q) : 32'(q_res_q);
      error_index_o  <= q_index_q;
    end
    acc_read_o <= go && !q_void_q;
    if (go) acc_row_o <= q_row_q[AccBits-1:0];
    if (go && elem_last) begin
      write_q <= write_q + 1'b1;
      tag_m[write_q] <= {q_index_q, q_give_q, q_tail_q && !early, q_ctl_q[CtlRaw], q_ub_q[UbBits-1:0]};
    end
    if (leave) begin
      read_q      <= read_q + 1'b1;
      ub_valid_o  <= !tag[TagRaw];
      raw_valid_o <= tag[TagRaw];
      ub_row_o    <= tag[UbBits-1:0];
      out_tail_q  <= tag[TagTail];
      out_give_q  <= tag[TagGive +: UnitBits];
      out_index_q <= tag[TagIndex +: 32];
    end else if (taken) begin
      ub_valid_o  <= 1'b0;
      raw_valid_o <= 1'b0;
    end
    if (taken && out_tail_q) begin
      done_o       <= 1'b1;
      give_o       <= out_give_q;
      done_index_o <= out_index_q;
    end
    if (finishes && early) begin
      done_o       <= 1'b1;
      give_o       <= q_give_q;
      done_index_o <= q_index_q;
    end
    if ((finishes && !early) != (taken && out_tail_q))
      late_q <= (finishes && !early) ? late_q + 1'b1 : late_q - 1'b1;
    if (go && elem_last && !taken) room_q <= room_q - 1'b1;
    if (taken && !(go && elem_last)) room_q <= room_q + 1'b1;
    if (!rst_ni) begin
      done_o      <= 1'b0;
      acc_read_o  <= 1'b0;
      raw_valid_o <= 1'b0;
      ub_valid_o  <= 1'b0;
      ub_error_o  <= 1'b0;
      acc_error_o <= 1'b0;
      write_q     <= '0;
      read_q      <= '0;
      room_q      <= (SlotBits + 1)'(Slots);
      late_q      <= '0;
    end
  end

  // ---- the lanes -----------------------------------------------------------------------------
  // Arrays and `ctl` are private to this process, later stages first; see systole_core_flat for the
  // reason. The comment of a stage says what its registers hold after it. No stage has more than one
  // addition of 49 bits, one product that a DSP holds, or half of a shift.
  logic signed [31:0] bias_m  [0:1][0:Dim-1];
  logic signed [16:0] scale_m [0:1][0:Dim-1];
  // As wide as what is shifted, for the simulator's SIMD; the upper bits are zero and nobody reads them.
  logic        [63:0] shift_m [0:1][0:Dim-1];
  logic [CtlBits-1:0] ctl [0:Stages];           // of the element at each stage
  logic signed [31:0] biased       [0:Dim-1];
  logic signed [31:0] sum          [0:Dim-1];
  logic signed [34:0] low_product  [0:Dim-1];
  logic signed [31:0] high_product [0:Dim-1];
  logic signed [48:0] product      [0:Dim-1];
  logic signed [48:0] scaled       [0:Dim-1];
  logic signed [50:0] coarse       [0:Dim-1];   // two bits more on the right: half, and anything less
  logic signed [50:0] fine         [0:Dim-1];
  logic signed [11:0] near         [0:Dim-1];
  logic signed [10:0] moved        [0:Dim-1];
  logic signed [7:0]  clamped      [0:Dim-1];
  logic signed [7:0]  largest      [0:Dim-1];
  logic signed [8:0]  difference   [0:Dim-1];
  logic signed [25:0] added        [0:Dim-1];
  logic [8*Dim-1:0]   residual3, residual4;
  logic [32*Dim-1:0]  raw_mem [0:Slots-1];
  logic [8*Dim-1:0]   row_mem [0:Slots-1];
  logic [32*Dim-1:0]  raw_row;
  logic [8*Dim-1:0]   row;
  logic signed [7:0]  zero;
  logic signed [10:0] low, top;
  logic signed [16:0] factor;
  logic               bank;
  logic               raw_done, row_done;
  logic [Slots-1:0]   filled;

  // A shift to the right that keeps, in bit 0, whether any one was lost.
  function automatic logic signed [50:0] shift_sticky(input logic signed [50:0] value,
                                                      input logic [63:0] shift);
    shift_sticky = (value >>> shift) |
                   (((value & $signed(~({51{1'b1}} << shift))) != 51'sd0) ? 51'sd1 : 51'sd0);
  endfunction

  always_ff @(posedge clk_i) begin : p_lanes
    filled   = filled_q;
    raw_done = valid_q[RawStage] && ctl[RawStage][CtlRaw] && ctl[RawStage][CtlLast];
    row_done = valid_q[Stages] && ctl[Stages][CtlLast];

    // Out of the slots.
    if (leave) begin
      filled[read_q] = 1'b0;
      if (tag[TagRaw]) raw_data_o <= raw_mem[read_q];
      else ub_data_o <= row_mem[read_q];
    end
    if (row_done) begin
      for (int unsigned c = 0; c < Dim; c++) row[8*c +: 8] = largest[c];
      row_mem[ctl[Stages][CtlSlot +: SlotBits]] = row;
      filled[ctl[Stages][CtlSlot +: SlotBits]] = 1'b1;
    end
    if (raw_done) begin
      for (int unsigned c = 0; c < Dim; c++) raw_row[32*c +: 32] = sum[c];
      raw_mem[ctl[RawStage][CtlSlot +: SlotBits]] = raw_row;
      filled[ctl[RawStage][CtlSlot +: SlotBits]] = 1'b1;
    end
    filled_q <= filled;

    // 13: the largest of the window.
    if (valid_q[12]) begin
      if (ctl[12][CtlFirst] || ctl[12][CtlSum]) begin
        for (int unsigned c = 0; c < Dim; c++) largest[c] = clamped[c];
      end else begin
        for (int unsigned c = 0; c < Dim; c++) largest[c] = (clamped[c] > largest[c]) ? clamped[c] : largest[c];
      end
    end
    // 12: clamped; the maximum of nothing is the lowest value there is.
    if (valid_q[11]) begin
      low = 11'($signed(ctl[11][CtlLow +: 8]));
      top = (ctl[11][CtlVoid] && !ctl[11][CtlSum]) ? low : 11'($signed(ctl[11][CtlHigh +: 8]));
      for (int unsigned c = 0; c < Dim; c++)
        clamped[c] = 8'((moved[c] < low) ? low : (moved[c] > top) ? top : moved[c]);
    end
    // 11: rounded, half to even, and moved by the zero point.
    if (valid_q[10]) begin
      zero = $signed(ctl[10][CtlZero +: 8]);
      for (int unsigned c = 0; c < Dim; c++)
        moved[c] = 11'(near[c] >>> 2) + 11'(zero) + 11'(((near[c] >>> 1) & (near[c] | (near[c] >>> 2))) & 12'sd1);
    end
    // 10: 12 bits, of which two stand behind the point; what is outside is clamped anyway.
    if (valid_q[9]) begin
      for (int unsigned c = 0; c < Dim; c++)
        near[c] = (fine[c] < -51'sd2048) ? -12'sd2048 : (fine[c] > 51'sd2047) ? 12'sd2047 : 12'(fine[c]);
    end
    // 9: shifted by 0 ... 7.
    if (valid_q[8]) begin
      bank = ctl[8][CtlBank];
      for (int unsigned c = 0; c < Dim; c++)
        fine[c] = shift_sticky(coarse[c], {61'd0, shift_m[bank][c][2:0]});
    end
    // 8: shifted by a multiple of 8.
    if (valid_q[7]) begin
      bank = ctl[7][CtlBank];
      for (int unsigned c = 0; c < Dim; c++)
        coarse[c] = shift_sticky(51'(scaled[c]) <<< 2, {58'd0, shift_m[bank][c][5:3], 3'd0});
    end
    // 7: with the residual.
    if (valid_q[6]) begin
      if (ctl[6][CtlAdd]) begin
        for (int unsigned c = 0; c < Dim; c++) scaled[c] = product[c] + 49'(added[c]);
      end else begin
        for (int unsigned c = 0; c < Dim; c++) scaled[c] = product[c];
      end
    end
    // 6: the product.
    if (valid_q[5]) begin
      for (int unsigned c = 0; c < Dim; c++) product[c] = (49'(high_product[c]) <<< 17) + 49'(low_product[c]);
      if (ctl[5][CtlFetch]) begin
        factor = $signed(ctl[5][CtlMul +: 17]);
        for (int unsigned c = 0; c < Dim; c++) added[c] = 26'(difference[c]) * 26'(factor);
      end
    end
    // 5: products of the lower 17 and the upper 15 bits.
    if (valid_q[4]) begin
      bank = ctl[4][CtlBank];
      if (!ctl[4][CtlRaw]) begin
        for (int unsigned c = 0; c < Dim; c++) begin
          low_product[c]  = 35'($signed({1'b0, sum[c][16:0]})) * 35'(scale_m[bank][c]);
          high_product[c] = 32'($signed(sum[c][31:17])) * 32'(scale_m[bank][c]);
        end
      end
      if (ctl[4][CtlFetch]) begin
        zero = $signed(ctl[4][CtlResZero +: 8]);
        for (int unsigned c = 0; c < Dim; c++)
          difference[c] = 9'($signed(residual4[8*c +: 8])) - 9'(zero);
      end
    end
    // 4: summed over the window.
    if (valid_q[3]) begin
      if (ctl[3][CtlFirst] || !ctl[3][CtlSum]) begin
        for (int unsigned c = 0; c < Dim; c++) sum[c] = biased[c];
      end else begin
        for (int unsigned c = 0; c < Dim; c++) sum[c] = sum[c] + biased[c];
      end
      if (ctl[3][CtlFetch]) residual4 = residual3;
    end
    // 3: with the bias.
    if (valid_q[2]) begin
      bank = ctl[2][CtlBank];
      if (ctl[2][CtlVoid]) begin
        for (int unsigned c = 0; c < Dim; c++) biased[c] = 32'sd0;
      end else if (ctl[2][CtlBias]) begin
        for (int unsigned c = 0; c < Dim; c++)
          biased[c] = $signed(acc_rdata_i[32*c +: 32]) + bias_m[bank][c];
      end else begin
        for (int unsigned c = 0; c < Dim; c++) biased[c] = $signed(acc_rdata_i[32*c +: 32]);
      end
      if (ctl[2][CtlFetch]) residual3 = residual_data_i;
    end

    if (go || valid_q != '0) begin
      ctl[0] = q_ctl_q | CtlBits'({write_q, {CtlSlot-CtlVoid-1{1'b0}}, q_void_q, elem_last, elem_first_q, want, {CtlFetch{1'b0}}});
      for (int unsigned s = Stages; s > 0; s--) ctl[s] = ctl[s - 1];
    end
    valid_q <= {valid_q[Stages-1:1], go};
    // Behind the sums: raw rows have left, and an average pool goes on with its last element.
    if (ctl[RawStage+1][CtlRaw] || (ctl[RawStage+1][CtlSum] && !ctl[RawStage+1][CtlLast]))
      valid_q[RawStage+1] <= 1'b0;
    if (!rst_ni) begin
      valid_q  <= '0;
      filled_q <= '0;
    end
  end

  // ---- column parameters ---------------------------------------------------------------------
  localparam int MulAt   = systole_pkg::ParamMultiplierLsb;
  localparam int MulBits = systole_pkg::ParamMultiplierBits;
  localparam int ShiftAt = systole_pkg::ParamShiftLsb;
  localparam int ShBits  = systole_pkg::ParamShiftBits;
  if (AxiBytes >= 8) begin : g_columns
    localparam int Columns = AxiBytes / 8; // parameter blocks a beat
    always_ff @(posedge clk_i) begin : p_params
      if (param_valid_i) begin
        for (int unsigned i = 0; i < Columns; i++) begin
          bias_m[param_bank_i][32'(param_beat_i) * Columns + i] = $signed(param_data_i[64*i +: 32]);
          scale_m[param_bank_i][32'(param_beat_i) * Columns + i] = $signed(param_data_i[64*i + MulAt +: MulBits]);
          shift_m[param_bank_i][32'(param_beat_i) * Columns + i] = 64'(param_data_i[64*i + ShiftAt +: ShBits]);
        end
      end
    end
  end else begin : g_half_columns
    always_ff @(posedge clk_i) begin : p_params
      if (param_valid_i) begin
        if (param_beat_i[0]) begin
          scale_m[param_bank_i][param_beat_i[$clog2(Dim):1]] = $signed(param_data_i[MulAt-32 +: MulBits]);
          shift_m[param_bank_i][param_beat_i[$clog2(Dim):1]] = 64'(param_data_i[ShiftAt-32 +: ShBits]);
        end else begin
          bias_m[param_bank_i][param_beat_i[$clog2(Dim):1]] = $signed(param_data_i);
        end
      end
    end
  end

  assign busy_o = p_valid_q || q_valid_q || !room_q[SlotBits] || done_o;
  assign wake_o = accept_o || busy_o || param_valid_i || ub_error_o || acc_error_o;

  `SYSTOLE_ASSERT(ResidualArrivesWithItsElement, residual_here_i == (valid_q[2] && ctl[2][CtlFetch]))
  `SYSTOLE_ASSERT(TokensInOrder, !(finishes && early) || !(taken && out_tail_q))
  `SYSTOLE_ASSERT(SlotsAreEnough, room_q <= (SlotBits + 1)'(Slots))

  initial begin
    if (2**UbBits != UbRows) $fatal(1, "systole_activate: UbRows must be a power of two");
    if (2**AccBits != AccRows) $fatal(1, "systole_activate: AccRows must be a power of two");
    if (AxiBytes < 4 || AxiBytes > 2 * Dim || AxiBytes > 64) $fatal(1, "systole_activate: AxiBytes must be 4 ... 64 and at most 2 Dim");
  end
endmodule

`default_nettype wire
