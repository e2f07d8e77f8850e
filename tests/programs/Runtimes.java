/*
 * What a Java virtual machine does with signals: null pointers and full stacks
 * found by SIGSEGV, threads stopped at safepoints by a page that is taken away.
 */
final class Runtimes {
    int value = 1;

    static int read(Runtimes from) {
        return from.value;
    }

    /* Not thrown often enough in one place to be made without a fault. */
    static int nullPointers(int rounds) {
        int found = 0;
        for (int i = 0; i < rounds; i++) {
            try {
                found += read(i % 16 == 0 ? null : THIS) - 1;
            } catch (NullPointerException e) {
                found++;
            }
        }
        return found;
    }

    static int deeper(int depth) {
        return deeper(depth + 1) + 1;
    }

    static int fullStacks(int rounds) {
        int found = 0;
        for (int i = 0; i < rounds; i++) {
            try {
                deeper(0);
            } catch (StackOverflowError e) {
                found++;
            }
        }
        return found;
    }

    static final Runtimes THIS = new Runtimes();
    static volatile boolean isOver;

    static long churn() {
        long sum = 0;
        while (!isOver) {
            byte[][] rows = new byte[64][];
            for (int i = 0; i < rows.length; i++)
                rows[i] = new byte[1024 + i];
            sum += rows[63].length;
        }
        return sum;
    }

    public static void main(String[] arguments) throws Exception {
        Thread[] churners = new Thread[2];
        for (int i = 0; i < churners.length; i++) {
            churners[i] = new Thread(Runtimes::churn);
            churners[i].start();
        }
        System.out.println(nullPointers(400000));
        System.out.println(fullStacks(20));
        for (int i = 0; i < 20; i++)
            System.gc();
        isOver = true;
        for (Thread churner : churners)
            churner.join();
        System.out.println("over");
    }
}
