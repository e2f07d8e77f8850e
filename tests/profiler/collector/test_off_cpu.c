/* The account of looks: what is given, to which stack, and that it adds up. */
#include "profiler/collector/off_cpu.h"

#include "profiler/model/profile.h"
#include "tests/harness.h"

enum { MS = 1000000, HERE = 7, THERE = 8 };

struct ledger {
    struct prof_off_cpu account;
    struct prof_off_time times[PROF_OFF_TIMES];
    unsigned count;
    uint64_t given_ns[16]; /* by stack; 15: none */
    uint64_t waited_ns, all_ns;
};

static void enter(struct ledger *ledger)
{
    for (unsigned i = 0; i < ledger->count; i++) {
        const struct prof_off_time *time = &ledger->times[i];
        if (time->state == PROF_STATE_RUNNABLE)
            ledger->waited_ns += time->ns;
        else
            ledger->given_ns[time->stack & 15] += time->ns;
        ledger->all_ns += time->ns;
    }
}

/* A look at `ms`, at a thread that has used `cpu_ms` in `runs` turns. */
static struct prof_look look_at(
    uint64_t ms, uint64_t cpu_ms, uint64_t wait_ms, uint64_t runs)
{
    return (struct prof_look){
        .time_ns = ms * MS,
        .cpu_ns = cpu_ms * MS,
        .wait_ns = wait_ms * MS,
        .runs = runs,
        .stack = PROF_NONE};
}

static void see_running(struct ledger *ledger, struct prof_look look)
{
    ledger->count = prof_off_cpu_add(&ledger->account, &look, ledger->times);
    enter(ledger);
}

static void see_asleep(
    struct ledger *ledger, uint32_t stack, struct prof_look look)
{
    look.is_asleep = true;
    look.state = PROF_STATE_SLEEPING;
    look.stack = stack;
    see_running(ledger, look);
}

static struct ledger begin(void)
{
    struct ledger ledger = {.count = 0};
    struct prof_look first = look_at(1000, 0, 0, 0);
    prof_off_cpu_begin(&ledger.account, &first);
    return ledger;
}

/* `wait_ms` 0: the thread is gone, and cannot be asked. */
static void end_after_wait(
    struct ledger *ledger, uint64_t ms, uint64_t cpu_ms, uint64_t wait_ms)
{
    ledger->count = prof_off_cpu_end(
        &ledger->account, ms * MS, cpu_ms * MS, wait_ms * MS, ledger->times);
    enter(ledger);
}

static void end(struct ledger *ledger, uint64_t ms, uint64_t cpu_ms)
{
    end_after_wait(ledger, ms, cpu_ms, 0);
}

TEST(a_sleeper_that_has_not_run_is_given_the_time_that_passed)
{
    struct ledger l = begin();
    see_asleep(&l, HERE, look_at(1010, 0, 0, 1));
    see_asleep(&l, HERE, look_at(1500, 0, 0, 1));
    CHECK_EQ(l.count, 1);
    CHECK_EQ(l.times[0].ns, 490 * MS);
    CHECK_EQ(l.times[0].stack, HERE);
    CHECK_EQ(l.times[0].state, PROF_STATE_SLEEPING);
}

TEST(quiet_is_who_slept_and_used_nothing)
{
    struct ledger l = begin();
    struct prof_look look = look_at(1010, 3, 0, 1);
    CHECK(!prof_off_cpu_is_quiet(&l.account, &look));
    see_asleep(&l, HERE, look);
    look.time_ns += 50 * MS;
    CHECK(prof_off_cpu_is_quiet(&l.account, &look));
    look.runs++;
    CHECK(!prof_off_cpu_is_quiet(&l.account, &look));
    look.runs--;
    look.cpu_ns++;
    CHECK(!prof_off_cpu_is_quiet(&l.account, &look));
}

TEST(two_sleeps_between_looks_share_the_time)
{
    struct ledger l = begin();
    see_asleep(&l, HERE, look_at(1000, 0, 0, 1));
    see_asleep(&l, THERE, look_at(1110, 10, 0, 2));
    CHECK_EQ(l.given_ns[HERE], 50 * MS);
    CHECK_EQ(l.given_ns[THERE], 50 * MS);
}

TEST(many_sleeps_between_looks_leave_the_earlier_one_its_part)
{
    struct ledger l = begin();
    see_asleep(&l, HERE, look_at(1000, 0, 0, 1));
    see_asleep(&l, THERE, look_at(1110, 10, 0, 10));
    CHECK_EQ(l.given_ns[HERE], 10 * MS);
    CHECK_EQ(l.given_ns[THERE], 90 * MS);
}

TEST(a_running_thread_keeps_its_sleeps_for_the_next_look)
{
    struct ledger l = begin();
    see_running(&l, look_at(1100, 40, 0, 3));
    CHECK_EQ(l.all_ns, 0);
    see_asleep(&l, HERE, look_at(1200, 60, 0, 9));
    CHECK_EQ(l.given_ns[HERE], 140 * MS);
}

TEST(who_woke_to_run_has_slept_where_he_was)
{
    struct ledger l = begin();
    see_asleep(&l, HERE, look_at(1000, 0, 0, 1));
    /* 10 ms stay open: the CPU time of a running thread lags. */
    see_running(&l, look_at(1110, 10, 0, 2));
    CHECK_EQ(l.given_ns[HERE], 90 * MS);
    see_asleep(&l, THERE, look_at(1210, 110, 0, 2));
    CHECK_EQ(l.given_ns[THERE], 10 * MS);
}

TEST(cpu_time_that_lagged_takes_nothing_back)
{
    struct ledger l = begin();
    see_asleep(&l, HERE, look_at(1000, 0, 0, 1));
    see_running(&l, look_at(1100, 0, 0, 2));
    CHECK_EQ(l.given_ns[HERE], 90 * MS);
    see_running(&l, look_at(1110, 30, 0, 2)); /* it had run for longer */
    CHECK_EQ(l.given_ns[HERE], 90 * MS);
    end(&l, 1200, 110);
    CHECK_EQ(l.all_ns, 90 * MS);
}

TEST(waiting_for_a_cpu_is_told_apart)
{
    struct ledger l = begin();
    see_running(&l, look_at(1100, 60, 40, 20));
    CHECK_EQ(l.waited_ns, 40 * MS);
    CHECK_EQ(l.all_ns, 40 * MS);
    see_asleep(&l, HERE, look_at(1200, 80, 70, 30));
    CHECK_EQ(l.waited_ns, 70 * MS);
    CHECK_EQ(l.given_ns[HERE], 50 * MS);
}

TEST(what_was_never_seen_asleep_ends_without_a_stack)
{
    struct ledger l = begin();
    see_running(&l, look_at(1100, 60, 0, 20));
    end(&l, 1200, 100);
    CHECK_EQ(l.given_ns[15], 100 * MS);
    CHECK_EQ(l.times[0].stack, PROF_NONE);
    CHECK_EQ(l.times[0].state, PROF_STATE_OFF_CPU);
}

TEST(a_last_wait_that_the_scheduler_tells_is_no_sleep)
{
    struct ledger l = begin();
    see_asleep(&l, HERE, look_at(1000, 0, 0, 1));
    end_after_wait(&l, 1100, 20, 30);
    CHECK_EQ(l.waited_ns, 30 * MS);
    CHECK_EQ(l.given_ns[HERE], 50 * MS);
}

TEST(a_last_wait_is_no_longer_than_there_was_time)
{
    struct ledger l = begin();
    see_running(&l, look_at(1100, 100, 0, 1));
    end_after_wait(&l, 1200, 180, 500);
    CHECK_EQ(l.waited_ns, 20 * MS);
    CHECK_EQ(l.all_ns, 20 * MS);
}

TEST(who_never_slept_but_waited_ends_waiting)
{
    struct ledger l = begin();
    see_running(&l, look_at(1100, 40, 60, 20));
    end(&l, 1200, 90);
    CHECK_EQ(l.waited_ns, 110 * MS);
    CHECK_EQ(l.all_ns, 110 * MS);
}

TEST(who_waited_and_slept_by_turns_has_done_so_at_the_end)
{
    struct ledger l = begin();
    see_asleep(&l, HERE, look_at(1100, 40, 15, 20));
    see_running(&l, look_at(1200, 80, 30, 40));
    uint64_t before_ns = l.waited_ns;
    CHECK_EQ(before_ns, 30 * MS);
    end(&l, 1300, 140); /* 40 ms that nobody saw, 30 of 120 were waiting */
    CHECK_EQ(l.waited_ns - before_ns, 10 * MS);
}

TEST(a_sleeper_ends_in_its_sleep)
{
    struct ledger l = begin();
    see_asleep(&l, HERE, look_at(1000, 0, 0, 1));
    end(&l, 1100, 0);
    CHECK_EQ(l.given_ns[HERE], 100 * MS);
}

TEST(a_sleeper_that_woke_to_end_has_slept_where_it_was)
{
    struct ledger l = begin();
    see_asleep(&l, HERE, look_at(1000, 0, 0, 1));
    end(&l, 1100, 20);
    CHECK_EQ(l.given_ns[HERE], 80 * MS);
}

TEST(what_was_used_before_the_first_look_does_not_count)
{
    struct ledger l = {.count = 0};
    struct prof_look first = look_at(1000, 700, 300, 50);
    prof_off_cpu_begin(&l.account, &first);
    see_asleep(&l, HERE, look_at(1100, 720, 330, 60));
    CHECK_EQ(l.waited_ns, 30 * MS);
    CHECK_EQ(l.given_ns[HERE], 50 * MS);
}

TEST(flags_go_with_the_stack_they_are_of)
{
    struct ledger l = begin();
    struct prof_look look = look_at(1000, 0, 0, 1);
    look.flags = PROF_SAMPLE_TRUNCATED;
    see_asleep(&l, HERE, look);
    see_asleep(&l, THERE, look_at(1100, 0, 0, 2));
    CHECK_EQ(l.count, 2);
    CHECK_EQ(l.times[0].flags, PROF_SAMPLE_TRUNCATED);
    CHECK_EQ(l.times[1].flags, 0);
    look.time_ns += 200 * MS;
    look.runs = 3;
    see_asleep(&l, HERE, look);
    end(&l, 1300, 20);
    CHECK(l.count > 0);
    for (unsigned i = 0; i < l.count; i++)
        CHECK_EQ(l.times[i].flags, PROF_SAMPLE_TRUNCATED);
}

/* Whatever is seen: on and off CPU make the wall time, to the nanosecond. */
TEST(the_sum_is_the_wall_time)
{
    struct ledger l = begin();
    uint64_t random = 1, ms = 1000, cpu_ms = 0, wait_ms = 0, runs = 0;
    for (int i = 0; i < 10000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t dice = random >> 40;
        uint64_t used_ms = dice % 5, waited_ms = dice / 5 % 3;
        cpu_ms += used_ms;
        wait_ms += waited_ms;
        runs += used_ms;
        ms += used_ms + waited_ms + dice / 15 % 20;
        if (dice / 512 % 2)
            see_running(&l, look_at(ms, cpu_ms, wait_ms, runs));
        else
            see_asleep(
                &l, dice / 1024 % 2 ? HERE : THERE,
                look_at(ms, cpu_ms, wait_ms, runs));
    }
    end(&l, ms + 100, cpu_ms + 10);
    CHECK_EQ(l.all_ns + (cpu_ms + 10) * MS, (ms + 100 - 1000) * MS);
}

TEST(times_that_run_backwards_do_not_wrap)
{
    struct ledger l = begin();
    see_asleep(&l, HERE, look_at(900, 500, 500, 1));
    see_asleep(&l, HERE, look_at(1100, 0, 0, 0));
    CHECK_EQ(l.waited_ns, 500 * MS);
    CHECK_EQ(l.given_ns[HERE], 100 * MS);
}
