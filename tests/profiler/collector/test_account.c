/* What samples weigh, and what is left over. */
#include "tests/harness.h"

#include <time.h>
#include <unistd.h>

#include "profiler/collector/account.h"
#include "profiler/collector/account_rest.h"
#include "profiler/collector/cpu_time.h"

enum { PERIOD_NS = 1000000 };

/* A thread that has had a sample before. */
static void make_known(struct prof_account *account)
{
    struct prof_account_thread *thread = table_row(&account->threads, 0);
    thread->is_new = false;
}

static struct prof_account make_account(enum prof_clock_mode mode)
{
    struct prof_account account;
    prof_account_init(&account, (uint32_t)getpid(), mode, PERIOD_NS);
    /* tid 0: the thread's CPU time cannot be read, nothing is filled up. */
    (void)prof_account_add_thread(&account, 0, 0, 0);
    make_known(&account);
    return account;
}

/* The main thread of this test, which has used some CPU time. */
static struct prof_account make_live_account(enum prof_clock_mode mode)
{
    struct prof_account account;
    uint32_t pid = (uint32_t)getpid();
    prof_account_init(&account, pid, mode, PERIOD_NS);
    (void)prof_account_add_thread(&account, pid, 0, 0);
    make_known(&account);
    return account;
}

static void burn_ms(int ms)
{
    struct timespec used;
    do {
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    } while (used.tv_sec * 1000 + used.tv_nsec / 1000000 < ms);
}

TEST(account_weighs_expiries_times_period)
{
    struct prof_account account = make_account(PROF_CLOCK_TIMER);
    struct prof_pending batch[] = {
        {.time_ns = 10, .expiries = 1, .period_ns = PERIOD_NS, .is_tick = true},
        {.time_ns = 20,
         .expiries = 4,
         .period_ns = PERIOD_NS,
         .is_tick = true}};
    prof_account_weigh(&account, batch, 2, 0);
    CHECK_EQ(batch[0].weight_ns, PERIOD_NS);
    CHECK_EQ(batch[1].weight_ns, 4 * PERIOD_NS);
    CHECK_EQ(account.given_ns, 5 * PERIOD_NS);
    prof_account_fini(&account);
}

TEST(account_gives_a_long_call_the_periods_its_thread_used)
{
    burn_ms(60);
    struct prof_account account = make_live_account(PROF_CLOCK_PERF);
    struct prof_pending batch[] = {
        {.time_ns = 1 * PERIOD_NS, .expiries = 1, .period_ns = PERIOD_NS},
        {.time_ns = 21 * PERIOD_NS,
         .expiries = 1,
         .period_ns = PERIOD_NS,
         .is_from_kernel = true}};
    prof_account_weigh(&account, batch, 2, 0);
    CHECK_EQ(batch[0].weight_ns, PERIOD_NS);
    CHECK_EQ(batch[1].weight_ns, 20 * PERIOD_NS);
    prof_account_fini(&account);
}

TEST(account_gives_a_threads_first_call_the_periods_it_used)
{
    burn_ms(60);
    struct prof_account account = make_live_account(PROF_CLOCK_PERF);
    account.weighed_ns = 1 * PERIOD_NS;
    struct prof_pending sample = {
        .time_ns = 21 * PERIOD_NS,
        .expiries = 1,
        .period_ns = PERIOD_NS,
        .is_from_kernel = true};
    prof_account_weigh(&account, &sample, 1, 0);
    CHECK_EQ(sample.weight_ns, 20 * PERIOD_NS);
    CHECK_EQ(account.weighed_ns, 21 * PERIOD_NS);
    prof_account_fini(&account);
}

TEST(account_gives_a_sleeper_no_time_it_did_not_use)
{
    burn_ms(60);
    struct prof_account account = make_live_account(PROF_CLOCK_PERF);
    struct prof_account_thread *thread = table_row(&account.threads, 0);
    /* All that the thread has used is accounted for already. */
    uint64_t given_ns = prof_thread_cpu_ns(account.pid, account.pid);
    thread->given_ns = given_ns;
    thread->last_ns = 1;
    struct prof_pending batch[] = {
        {.time_ns = 5000000000,
         .expiries = 1,
         .period_ns = PERIOD_NS,
         .is_from_kernel = true}};
    prof_account_weigh(&account, batch, 1, 0);
    /* What this test has burnt meanwhile, and a period. */
    uint64_t used_ns = prof_thread_cpu_ns(account.pid, account.pid);
    CHECK(batch[0].weight_ns <= used_ns - given_ns + PERIOD_NS);
    prof_account_fini(&account);
}

TEST(account_fills_system_calls_before_other_ticks_in_user_mode)
{
    burn_ms(60);
    struct prof_account account = make_live_account(PROF_CLOCK_PERF_USER);
    struct prof_account_thread *thread = table_row(&account.threads, 0);
    uint64_t used_ns = prof_thread_cpu_ns(account.pid, account.pid);
    thread->before_ns = used_ns - 6 * PERIOD_NS;
    struct prof_pending batch[] = {
        {.time_ns = 1, .expiries = 1, .period_ns = PERIOD_NS},
        {.time_ns = 2,
         .expiries = 4,
         .period_ns = PERIOD_NS,
         .is_tick = true,
         .is_from_kernel = true},
        {.time_ns = 3, .expiries = 4, .period_ns = PERIOD_NS, .is_tick = true}};
    prof_account_weigh(&account, batch, 3, 0);
    CHECK_EQ(batch[0].weight_ns, PERIOD_NS);
    /* With what this test has burnt meanwhile. */
    used_ns = prof_thread_cpu_ns(account.pid, account.pid) - used_ns;
    CHECK(batch[1].weight_ns >= 5 * PERIOD_NS);
    CHECK(batch[1].weight_ns <= 5 * PERIOD_NS + used_ns);
    CHECK_EQ(batch[2].weight_ns, 0);
    prof_account_fini(&account);
}

TEST(account_gives_others_what_the_kernels_ticks_cannot_have_used)
{
    burn_ms(60);
    struct prof_account account = make_live_account(PROF_CLOCK_PERF_USER);
    struct prof_account_thread *thread = table_row(&account.threads, 0);
    uint64_t used_ns = prof_thread_cpu_ns(account.pid, account.pid);
    thread->before_ns = used_ns - 50 * PERIOD_NS;
    account.tick_ns = 4 * PERIOD_NS;
    struct prof_pending batch[] = {
        {.time_ns = 2,
         .expiries = 4,
         .period_ns = PERIOD_NS,
         .is_tick = true,
         .is_from_kernel = true},
        {.time_ns = 3,
         .expiries = 40,
         .period_ns = PERIOD_NS,
         .is_tick = true}};
    prof_account_weigh(&account, batch, 2, 0);
    /* 4, and three times the square root of two ticks of 4. */
    uint64_t margin_ns = 17 * PERIOD_NS;
    CHECK(batch[1].weight_ns >= 50 * PERIOD_NS - 4 * PERIOD_NS - margin_ns);
    CHECK(batch[1].weight_ns <= 40 * PERIOD_NS);
    prof_account_fini(&account);
}

TEST(account_remembers_what_a_batch_could_not_give_to_system_calls)
{
    burn_ms(60);
    struct prof_account account = make_live_account(PROF_CLOCK_PERF_USER);
    struct prof_account_thread *thread = table_row(&account.threads, 0);
    uint64_t used_ns = prof_thread_cpu_ns(account.pid, account.pid);
    account.tick_ns = 4 * PERIOD_NS;
    thread->before_ns = used_ns - 20 * PERIOD_NS;
    struct prof_pending user = {
        .time_ns = 1, .expiries = 1, .period_ns = PERIOD_NS, .is_tick = true};
    prof_account_weigh(&account, &user, 1, 0);
    struct prof_pending call = {
        .time_ns = 2,
        .expiries = 4,
        .period_ns = PERIOD_NS,
        .is_tick = true,
        .is_from_kernel = true};
    prof_account_weigh(&account, &call, 1, 0);
    CHECK(user.weight_ns <= PERIOD_NS);
    CHECK(call.weight_ns > 4 * PERIOD_NS);
    prof_account_fini(&account);
}

TEST(account_fills_the_first_tick_of_a_thread_that_goes_on)
{
    burn_ms(60);
    struct prof_account account = make_live_account(PROF_CLOCK_PERF_USER);
    struct prof_account_thread *thread = table_row(&account.threads, 0);
    thread->is_new = true;
    thread->before_ns =
        prof_thread_cpu_ns(account.pid, account.pid) - 30 * PERIOD_NS;
    struct prof_pending tick = {
        .time_ns = 1,
        .expiries = 30,
        .period_ns = PERIOD_NS,
        .is_tick = true,
        .is_from_kernel = true};
    prof_account_weigh(&account, &tick, 1, 0);
    CHECK(tick.weight_ns >= 29 * PERIOD_NS);
    prof_account_fini(&account);
}

TEST(account_gives_chance_what_turns_leave_to_it)
{
    burn_ms(60);
    struct prof_account account = make_live_account(PROF_CLOCK_PERF_USER);
    struct prof_account_thread *thread = table_row(&account.threads, 0);
    account.tick_ns = 4 * PERIOD_NS;
    /* A hundred ticks in the kernel, all in one go. */
    thread->is_in_kernel = true;
    thread->kernel_room_ns = thread->kernel_given_ns = 400 * PERIOD_NS;
    thread->before_ns =
        prof_thread_cpu_ns(account.pid, account.pid) - 40 * PERIOD_NS;
    struct prof_pending batch[] = {
        {.time_ns = 1,
         .expiries = 4,
         .period_ns = PERIOD_NS,
         .is_tick = true,
         .is_from_kernel = true},
        {.time_ns = 2, .expiries = 4, .period_ns = PERIOD_NS, .is_tick = true}};
    prof_account_weigh(&account, batch, 2, 0);
    /* One tick, and the standard error of one turn. */
    CHECK(batch[0].weight_ns > 8 * PERIOD_NS);
    CHECK(batch[0].weight_ns < 9 * PERIOD_NS);
    CHECK_EQ(batch[1].weight_ns, 4 * PERIOD_NS);
    prof_account_fini(&account);
}

TEST(account_gives_what_a_call_used_since_its_tick_to_the_next_sample)
{
    enum { TICK_NS = 4 * PERIOD_NS };
    struct prof_account account = make_account(PROF_CLOCK_TIMER);
    prof_tick_phase_init(&account.ticks, TICK_NS, "");
    account.tick_ns = TICK_NS;
    struct prof_pending batch[5];
    const struct {
        uint64_t time_ns;
        uint32_t expiries;
        bool is_from_kernel;
        uint64_t weight_ns;
    } ticks[] = {
        {10 * TICK_NS, 4, false, TICK_NS},
        {11 * TICK_NS, 4, false, TICK_NS},
        {14 * TICK_NS + 3 * PERIOD_NS, 15, true, 3 * TICK_NS},
        {15 * TICK_NS, 1, false, TICK_NS},
        /* Preempted by its tick: it has used no more than that. */
        {16 * TICK_NS + 3 * PERIOD_NS, 4, true, TICK_NS}};
    for (int i = 0; i < 5; i++)
        batch[i] = (struct prof_pending){
            .time_ns = ticks[i].time_ns,
            .expiries = ticks[i].expiries,
            .period_ns = PERIOD_NS,
            .is_tick = true,
            .is_from_kernel = ticks[i].is_from_kernel};
    prof_account_weigh(&account, batch, 5, 0);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(batch[i].weight_ns, ticks[i].weight_ns);
    prof_account_fini(&account);
}

TEST(account_lets_a_brief_thread_stand_for_those_no_tick_met)
{
    struct prof_account account = make_account(PROF_CLOCK_PERF);
    account.tick_ns = 4 * PERIOD_NS;
    for (uint32_t i = 1; i < 3; i++)
        (void)prof_account_add_thread(&account, 0, i, 0);
    struct prof_pending batch[] = {
        {.time_ns = 1,
         .thread = 1,
         .expiries = 1,
         .period_ns = PERIOD_NS,
         .is_tick = true},
        {.time_ns = 2,
         .thread = 2,
         .expiries = 1,
         .period_ns = PERIOD_NS,
         .is_tick = true}};
    /* Sixty of a tenth of a period; only two of them were met. */
    for (int i = 0; i < 58; i++)
        prof_account_end_thread(
            &account, TABLE_NONE, PERIOD_NS / 10 + 500, 500);
    prof_account_end_thread(&account, 1, PERIOD_NS / 10 + 500, 500);
    prof_account_end_thread(&account, 2, PERIOD_NS / 10 + 500, 500);
    prof_account_weigh(&account, batch, 2, 20 * PERIOD_NS);
    CHECK_EQ(batch[0].weight_ns + batch[1].weight_ns, 6 * PERIOD_NS);
    CHECK_EQ(account.ended_ns, 0);
    prof_account_fini(&account);
}

TEST(account_takes_back_what_a_brief_threads_sample_has_too_much)
{
    struct prof_account account = make_account(PROF_CLOCK_PERF);
    (void)prof_account_add_thread(&account, 0, 1, 0);
    struct prof_pending sample = {
        .time_ns = 1, .thread = 1, .expiries = 1, .period_ns = PERIOD_NS};
    prof_account_end_thread(&account, 1, PERIOD_NS / 10, 0);
    prof_account_weigh(&account, &sample, 1, 0);
    CHECK_EQ(sample.weight_ns, PERIOD_NS);
    CHECK_EQ(account.ended_ns, -(int64_t)(PERIOD_NS - PERIOD_NS / 10));
    prof_account_fini(&account);
}

TEST(account_weighs_a_sample_by_the_period_of_its_generation)
{
    struct prof_account account = make_account(PROF_CLOCK_PERF);
    struct prof_pending batch[] = {
        {.time_ns = 1, .expiries = 1, .period_ns = PERIOD_NS},
        {.time_ns = 2,
         .expiries = 1,
         .period_ns = 4 * PERIOD_NS,
         .generation = 1},
        {.time_ns = 3,
         .expiries = 1,
         .period_ns = 4 * PERIOD_NS,
         .generation = 1}};
    prof_account_weigh(&account, batch, 3, 0);
    CHECK_EQ(batch[0].weight_ns, PERIOD_NS);
    /* Half a period was under way when the clock was armed anew. */
    CHECK_EQ(batch[1].weight_ns, 4 * PERIOD_NS + PERIOD_NS / 2);
    CHECK_EQ(batch[2].weight_ns, 4 * PERIOD_NS);
    prof_account_fini(&account);
}

TEST(account_closes_with_the_kernels_figure)
{
    struct prof_account account = make_account(PROF_CLOCK_PERF);
    account.startup_ns = 100;
    account.given_ns = 1000;
    struct prof_account_rest rest = prof_account_close(&account, 1200, 1150, 0);
    CHECK_EQ(rest.startup_ns, 100);
    CHECK_EQ(rest.exec_ns, 0);
    CHECK_EQ(rest.exit_ns, 50);
    CHECK_EQ(rest.unsampled_ns, 50);
    CHECK_EQ(
        account.given_ns + rest.startup_ns + rest.exit_ns + rest.unsampled_ns,
        1200);
    prof_account_fini(&account);
}

TEST(account_of_a_later_image_calls_the_time_between_exec)
{
    struct prof_account account = make_account(PROF_CLOCK_PERF);
    account.startup_ns = 500;
    account.earlier_ns = 420;
    struct prof_account_rest rest = prof_account_close(&account, 500, 0, 0);
    CHECK_EQ(rest.exec_ns, 80);
    CHECK_EQ(rest.startup_ns, 0);
    CHECK_EQ(rest.unsampled_ns, 0);
    prof_account_fini(&account);
}

/* Of three periods that were sampled the kernel knows two: one was stolen. */
TEST(account_gives_back_what_a_hypervisor_took)
{
    struct prof_account account = make_account(PROF_CLOCK_PERF);
    struct prof_pending batch[100];
    uint64_t sum_ns = 0;
    for (uint64_t turn = 1; turn <= 10; turn++) {
        for (int i = 0; i < 100; i++)
            batch[i] =
                (struct prof_pending){.expiries = 1, .period_ns = PERIOD_NS};
        prof_account_weigh(
            &account, batch, 100, turn * 100 * PERIOD_NS * 2 / 3);
        for (int i = 0; i < 100; i++) {
            CHECK(batch[i].weight_ns >= PERIOD_NS / 2);
            sum_ns += batch[i].weight_ns;
        }
    }
    CHECK_EQ(sum_ns, account.given_ns);
    /* A period each that the thread and the next one may have begun. */
    uint64_t used_ns = UINT64_C(1000) * PERIOD_NS * 2 / 3;
    CHECK(sum_ns > used_ns && sum_ns <= used_ns + 3 * PERIOD_NS);
    prof_account_fini(&account);
}

TEST(account_invents_nothing_when_samples_exceed_the_kernels_figure)
{
    struct prof_account account = make_account(PROF_CLOCK_PERF);
    account.given_ns = 1000;
    struct prof_account_rest rest = prof_account_close(&account, 900, 890, 0);
    CHECK_EQ(rest.unsampled_ns + rest.exit_ns + rest.startup_ns, 0);
    prof_account_fini(&account);
}

TEST(account_weighs_ticks_that_came_for_an_event_by_their_expiries)
{
    struct prof_account account = make_account(PROF_CLOCK_PERF);
    struct prof_pending batch[] = {
        {.time_ns = 1, .expiries = 1, .period_ns = PERIOD_NS},
        /* Not in place of an event: perf has this time already. */
        {.time_ns = 2, .expiries = 4, .period_ns = PERIOD_NS, .is_tick = true},
        {.time_ns = 3,
         .expiries = 4,
         .period_ns = PERIOD_NS,
         .is_tick = true,
         .is_changed = true},
        {.time_ns = 4,
         .expiries = 4,
         .period_ns = PERIOD_NS,
         .is_tick = true,
         .is_changed = true}};
    prof_account_weigh(&account, batch, 4, 0);
    CHECK_EQ(batch[0].weight_ns, PERIOD_NS);
    CHECK_EQ(batch[1].weight_ns, 0);
    /* And what was lost of the event's period, once. */
    CHECK_EQ(batch[2].weight_ns, 4 * PERIOD_NS + PERIOD_NS / 2);
    CHECK_EQ(batch[3].weight_ns, 4 * PERIOD_NS);
    prof_account_fini(&account);
}

TEST(account_weighs_ticks_by_their_expiries_when_perf_in_user_mode_has_ended)
{
    struct prof_account account = make_account(PROF_CLOCK_PERF_USER);
    account.changed_ns = 10;
    struct prof_pending batch[] = {
        {.time_ns = 9, .expiries = 4, .period_ns = PERIOD_NS, .is_tick = true},
        /* It may stand for time that perf has seen. */
        {.time_ns = 11, .expiries = 4, .period_ns = PERIOD_NS, .is_tick = true},
        {.time_ns = 12,
         .expiries = 4,
         .period_ns = PERIOD_NS,
         .is_tick = true}};
    prof_account_weigh(&account, batch, 3, 0);
    CHECK_EQ(batch[0].weight_ns, 0);
    CHECK_EQ(batch[1].weight_ns, 0);
    CHECK_EQ(batch[2].weight_ns, 4 * PERIOD_NS);
    prof_account_fini(&account);
}
