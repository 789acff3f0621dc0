class SeedTest {
    @org.junit.jupiter.api.Test
    void five() {}
}
